// Command qingcloud shows QingCloud's SDK with insist inside: a table of faults,
// each on a server of its own on this machine, and what became of the call. It
// exits with an error if one did not end as it should.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"

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

// run takes the steps over TCP.
func run(out io.Writer) error {
	return sabotage.Run(out, steps, func() (*world, error) { return newWorld(sabotage.TCP, policyFor(keys)) })
}

var keys = account{"ACCESS_KEY_ID_EXAMPLE", "SECRET_ACCESS_KEY_EXAMPLE"}

// world is a cloud, and a program that uses it.
type world struct {
	api      *fakeAPI
	faults   *sabotage.Handler
	server   *httptest.Server
	service  *qc.QingCloudService
	attempts []insist.Attempt
}

// newWorld makes one, with a connection that has been used before.
func newWorld(n sabotage.Network, policy insist.Policy) (*world, error) {
	w := &world{api: &fakeAPI{account: keys}}
	w.faults = &sabotage.Handler{Next: w.api}
	w.server = n.Serve(w.faults)
	policy.OnAttempt = func(_ context.Context, a insist.Attempt) { // no Record: the SDK takes no context
		w.attempts = append(w.attempts[:a.Number-1], a)
	}
	var err error
	w.service, err = connect(w.server.URL+"/iaas", keys, policy, w.server.Client().Transport)
	if err == nil {
		_, err = describe.Make(w)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *world) Faults() *sabotage.Handler { return w.faults }

func (w *world) Attempts() string { return sabotage.Timeline(w.attempts) }

func (w *world) Close() { w.server.Close() }

// Effects returns how many machines and attachments have been created.
func (w *world) Effects() (int, error) {
	instances, attachments := w.api.ledger()
	for _, a := range attachments {
		if a != attachment {
			return 0, fmt.Errorf("an attachment arrived with %d bytes, not whole", len(a))
		}
	}
	return len(instances) + len(attachments), nil
}
