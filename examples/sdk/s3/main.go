// Command s3 shows the AWS SDK with insist inside: a table of faults, each on a
// server of its own on this machine (gofakes3), and what became of the call. It
// exits with an error if one did not end as it should.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

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

// run goes through the steps over TCP.
func run(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "call\tfault\tattempts\toutcome")
	var errs []error
	for _, s := range steps {
		w, err := newWorld(s.call.serve.onTCP, newPolicy())
		if err != nil {
			return err
		}
		outcome, err := s.take(w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %w", s.call.name, s.fault, err))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.call.name, s.fault, attempts(w.record), outcome)
		w.close()
	}
	return errors.Join(errs...)
}

// transport is how a call reaches the service.
type transport struct {
	onTCP, inMemory func(http.Handler) *httptest.Server
}

var (
	plain   = transport{httptest.NewServer, sabotage.NewMemoryServer}
	secured = transport{httptest.NewTLSServer, sabotage.NewMemoryTLSServer}
)

// world is a fake S3 with one object in its bucket, and a program that uses it.
type world struct {
	backend *s3mem.Backend
	faults  *sabotage.Handler
	server  *httptest.Server
	client  *s3.Client
	ctx     context.Context
	record  *insist.Record
}

func newWorld(serve func(http.Handler) *httptest.Server, policy insist.Policy) (*world, error) {
	w := &world{backend: s3mem.New()}
	w.faults = &sabotage.Handler{Next: checkBodies(gofakes3.New(w.backend).Server())}
	w.server = serve(w.faults)
	w.ctx, w.record = insist.WithRecord(context.Background())
	var err error
	w.client, err = connect(w.ctx, policy, w.server.Client().Transport,
		config.WithBaseEndpoint(w.server.URL),
		config.WithLogger(logging.Nop{}),
		config.WithRegion("us-east-1"),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("ID", "SECRET", "")),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
	if err == nil {
		err = w.backend.CreateBucket(bucket)
	}
	if err == nil {
		_, err = w.backend.PutObject(bucket, oldKey, nil, strings.NewReader(content), size, nil)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() { w.server.Close() }

// stored returns the object that the calls write, or "" if there is none.
func (w *world) stored() (string, error) {
	object, err := w.backend.GetObject(bucket, newKey, nil)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer object.Contents.Close()
	b, err := io.ReadAll(object.Contents)
	return string(b), err
}

// attempts writes down what each attempt of each call came to.
func attempts(r *insist.Record) string {
	var calls []string
	for _, call := range r.Calls() {
		var how []string
		for _, a := range call {
			if a.Err != nil {
				how = append(how, "error")
			} else {
				how = append(how, strconv.Itoa(a.Status))
			}
		}
		calls = append(calls, strings.Join(how, " "))
	}
	return strings.Join(calls, ", ")
}
