// Command qingcloud shows QingCloud's SDK with insist inside: a table of faults,
// each on a server of its own on this machine, and what became of the call. It
// exits with an error if one did not end as it should.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"text/tabwriter"

	qc "github.com/yunify/qingcloud-sdk-go/service"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "qingcloud:", err)
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
		w, err := newWorld(httptest.NewServer, policyFor(keys))
		if err != nil {
			return err
		}
		outcome, err := s.take(w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %w", s.call.name, s.fault, err))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.call.name, s.fault, w.attempts(), outcome)
		w.close()
	}
	return errors.Join(errs...)
}

var keys = account{"ACCESS_KEY_ID_EXAMPLE", "SECRET_ACCESS_KEY_EXAMPLE"}

// world is a cloud, and a program that uses it.
type world struct {
	api      *fakeAPI
	faults   *sabotage.Handler
	server   *httptest.Server
	service  *qc.QingCloudService
	timeline []string
}

// newWorld makes one, with a connection that has been used before.
func newWorld(serve func(http.Handler) *httptest.Server, policy insist.Policy) (*world, error) {
	w := &world{api: &fakeAPI{account: keys}}
	w.faults = &sabotage.Handler{Next: w.api}
	w.server = serve(w.faults)
	policy.OnAttempt = w.note // the SDK takes no context, so there can be no Record
	var err error
	w.service, err = connect(w.server.URL+"/iaas", keys, policy, w.server.Client().Transport)
	if err == nil {
		_, err = describe.make(w)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	w.timeline = nil
	return w, nil
}

func (w *world) close() { w.server.Close() }

func (w *world) attempts() string { return strings.Join(w.timeline, " ") }
