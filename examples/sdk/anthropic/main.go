// Command anthropic shows anthropic-sdk-go with insist inside: a table of faults, each on a
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

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "anthropic:", err)
		os.Exit(1)
	}
}

// run takes the steps over TCP.
func run(out io.Writer) error {
	return sabotage.Run(out, steps, func() (*world, error) { return newWorld(sabotage.TCP.Serve), nil })
}

// world is the API, and a program that uses it.
type world struct {
	api    *fakeAPI
	faults *sabotage.Handler
	server *httptest.Server
	ctx    context.Context
	record *insist.Record
	client anthropic.Client
}

func newWorld(serve func(http.Handler) *httptest.Server) *world {
	w := &world{api: &fakeAPI{heard: make(chan struct{}, 1)}}
	w.faults = &sabotage.Handler{Next: w.api.handler()}
	w.server = serve(w.faults)
	w.ctx, w.record = insist.WithRecord(context.Background())
	w.client = connect(w.server.URL, w.server.Client().Transport)
	return w
}

func (w *world) Faults() *sabotage.Handler { return w.faults }
func (w *world) Attempts() string          { return sabotage.Timeline(w.record.Calls()...) }
func (w *world) Effects() (int, error)     { return w.api.effects() }
func (w *world) Close()                    { w.server.Close() }
