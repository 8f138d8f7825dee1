// Command github shows go-github with insist inside: a table of faults, each on a
// server of its own on this machine, and what became of the call. It exits with
// an error if one did not end as it should.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/google/go-github/v89/github"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "github:", err)
		os.Exit(1)
	}
}

// run takes the steps over TCP.
func run(out io.Writer) error {
	dir, err := os.MkdirTemp("", "insist-github-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err := build(dir)
	if err != nil {
		return err
	}
	return sabotage.Run(out, steps, func() (*world, error) { return newWorld(sabotage.TCP.Serve, file) })
}

// build makes what is to be released, and returns its name.
func build(dir string) (file string, err error) {
	file = filepath.Join(dir, "tool.tar.gz")
	return file, os.WriteFile(file, tool, 0o600)
}

// world is GitHub, and a program that uses it.
type world struct {
	api    *fakeAPI
	faults *sabotage.Handler
	server *httptest.Server
	ctx    context.Context
	record *insist.Record
	client *github.Client
	file   string // to be uploaded
}

func newWorld(serve func(http.Handler) *httptest.Server, file string) (*world, error) {
	w := &world{api: &fakeAPI{assets: map[string]bool{}}, file: file}
	w.faults = &sabotage.Handler{Next: w.api.handler()}
	w.server = serve(w.faults)
	w.ctx, w.record = insist.WithRecord(context.Background())
	var err error
	if w.client, err = connect(w.server.URL, w.server.Client().Transport); err != nil {
		w.Close()
	}
	return w, err
}

func (w *world) Faults() *sabotage.Handler { return w.faults }
func (w *world) Attempts() string          { return sabotage.Timeline(w.record.Calls()...) }
func (w *world) Effects() (int, error)     { return w.api.effects() }
func (w *world) Close()                    { w.server.Close() }
