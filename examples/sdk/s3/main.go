// Command s3 shows the AWS SDK with insist inside: a table of faults, each on a
// server of its own on this machine (gofakes3), and what became of the call. It
// exits with an error if one did not end as it should.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

// run takes the steps over TCP.
func run(out io.Writer) error {
	return sabotage.Run(out, steps, func() (*world, error) { return newWorld(sabotage.TCP, newPolicy()) })
}

// world is a fake S3 with one object in its bucket, and a program that uses it.
type world struct {
	backend        *s3mem.Backend
	faults         *sabotage.Handler
	servers        [2]*httptest.Server
	plain, secured *s3.Client
	ctx            context.Context
	record         *insist.Record
}

func newWorld(n sabotage.Network, policy insist.Policy) (*world, error) {
	w := &world{backend: s3mem.New()}
	w.faults = &sabotage.Handler{Next: checkBodies(gofakes3.New(w.backend).Server())}
	w.servers = [2]*httptest.Server{n.Serve(w.faults), n.ServeTLS(w.faults)}
	w.ctx, w.record = insist.WithRecord(context.Background())
	if err := w.fill(policy); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *world) fill(policy insist.Policy) (err error) {
	if w.plain, err = connect(w.ctx, policy, w.servers[0].Client().Transport, at(w.servers[0].URL)); err != nil {
		return err
	}
	if w.secured, err = connect(w.ctx, policy, w.servers[1].Client().Transport, at(w.servers[1].URL)); err != nil {
		return err
	}
	if err = w.backend.CreateBucket(bucket); err != nil {
		return err
	}
	_, err = w.backend.PutObject(bucket, oldKey, nil, strings.NewReader(content), size, nil)
	return err
}

// at is the configuration that the fake takes, wherever the program runs.
func at(url string) func(*config.LoadOptions) error {
	return func(o *config.LoadOptions) error {
		o.BaseEndpoint, o.Region = url, "us-east-1"
		o.Credentials = credentials.NewStaticCredentialsProvider("ID", "SECRET", "")
		o.SharedConfigFiles, o.SharedCredentialsFiles = []string{}, []string{}
		o.Logger = logging.Nop{}
		return nil
	}
}

func (w *world) Faults() *sabotage.Handler { return w.faults }

func (w *world) Attempts() string { return sabotage.Timeline(w.record.Calls()...) }

func (w *world) Close() {
	for _, s := range w.servers {
		s.Close()
	}
}

// Effects returns 1 if the object is there that the calls write.
func (w *world) Effects() (int, error) {
	object, err := w.backend.GetObject(bucket, newKey, nil)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer object.Contents.Close()
	got, err := io.ReadAll(object.Contents)
	if err == nil && string(got) != content {
		err = fmt.Errorf("another object is stored, of %d bytes", len(got))
	}
	return 1, err
}
