package integrationtests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// fault is how the library broke a promise.
type fault string

const (
	mangled      fault = "the server took a mangled body for whole"
	twice        fault = "carried out twice"
	unexpected   fault = "neither carried out nor an error"
	notEnded     fault = "an idempotent request failed, attempts being left"
	notMended    fault = "a truncated response was not mended"
	wrongBytes   fault = "the caller read wrong bytes"
	both         fault = "a response and an error, or neither"
	hung         fault = "hung"
	requestOpen  fault = "a request body was left open"
	responseOpen fault = "a response body was left open"
	connOpen     fault = "a connection was left open"
)

// ending is how a call ended.
type ending int

const (
	atOnce ending = iota // well, with one attempt
	again                // well, after a retry
	truncated
	failed
	endings
)

// result is what came of a call under cuts.
type result struct {
	ending  ending
	faults  []fault
	silent  bool // there was a silent cut
	status  int
	err     error
	want    []byte // the response's body
	got     []byte
	bodyErr error
	took    time.Duration
	retries int
	call    servertest.Call
}

func (r *result) String() string {
	return fmt.Sprintf("%q: status %d, error %v, body %q, its error %v; %v, %d retries, %d requests arrived, %d carried out",
		r.faults, r.status, r.err, r.got, r.bodyErr, r.took, r.retries, r.call.Arrived, r.call.Carried)
}

// world is a server in a bubble, and calls to it one after another.
type world struct {
	ledger servertest.Ledger
	server *servertest.NetworkServer
	base   *http.Transport
	calls  int
	size   [2]int64 // what the first connection of the last call was written, by direction
}

// inWorld runs f, which makes calls of s, in a bubble that has a server.
func inWorld(t *testing.T, s *scenario, f func(t *testing.T, w *world)) {
	defer func() {
		if p := recover(); p != nil { // goroutines that are left
			fmt.Fprintf(os.Stderr, "%v:\n", s)
			panic(p)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		w := new(world)
		w.server = s.protocol.StartOnNetwork(&w.ledger)
		w.base = w.server.Transport(window(s.conn))
		f(t, w)
		w.server.Close()
	})
}

// patience is how long a call may take. All attempts and their limits take less.
const patience = 10 * time.Minute

// trial is one call.
type trial struct {
	scenario
	world      *world
	name       string
	want       []byte // the response's body
	bodies     bodies
	openBodies *openBodies
	retries    int
}

// try makes a call, and cuts the connections with these numbers. variant changes
// what should make no difference.
func (w *world) try(s *scenario, variant int, cuts ...servertest.CutAt) result {
	w.calls++
	t := &trial{scenario: *s, world: w, name: strconv.Itoa(1000 + w.calls)}
	t.vary(variant)
	w.warm(s.conn)
	for i, c := range cuts {
		w.server.Cut(i, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	resp, err := t.roundTrip(ctx)
	r := result{err: err, want: t.want, silent: slices.ContainsFunc(cuts, isSilent)}
	if resp != nil {
		r.status = resp.StatusCode
		r.got, r.bodyErr = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	r.took = time.Since(begun)
	if t.bodies.slow > 0 {
		time.Sleep(time.Second) // net/http may be in a Read
	}
	synctest.Wait()
	for d := range w.size {
		w.size[d] = w.server.Written(0, servertest.Direction(d))
	}
	r.retries, r.call = t.retries, w.ledger.Close(t.name)
	t.judge(&r)
	t.tidy(&r)
	return r
}

// vary sets what should make no difference: how a request body is read, how many
// bytes a Read of a connection gives, whether there is something between insist
// and net/http.
func (t *trial) vary(variant int) {
	t.bodies = bodies{step: 7 + variant%11, last: variant%2 == 0, seeks: variant%3 == 0}
	if variant%5 == 0 {
		t.bodies.slow = time.Millisecond
	}
	t.world.server.Segment([...]int{0, 64, 0}[variant%3])
	if variant%4 < 2 {
		t.openBodies = &openBodies{base: t.world.base}
	}
}

// warm makes idle connections. Of two the first is the one that will be used first.
func (w *world) warm(c connKind) {
	if c == newConn {
		return
	}
	w.ledger.Open("warm", servertest.Call{Response: []byte("ok")})
	defer w.ledger.Close("warm")
	var busy []*http.Response // one whose response is unread is not idle
	for range int(c) {
		req, _ := http.NewRequest("GET", "http://m/", nil)
		req.Header["User-Agent"] = nil
		servertest.Sign(req, "warm", nil)
		resp, err := w.base.RoundTrip(req)
		if err != nil {
			panic(err)
		}
		busy = append(busy, resp)
	}
	for _, resp := range slices.Backward(busy) {
		io.ReadAll(resp.Body)
		resp.Body.Close()
		synctest.Wait()
	}
	w.server.Mark()
}

// busy returns how many requests the server turns away at first.
func (s *scenario) busy() int {
	if s.rules == condition || s.rules == allRules {
		return 1
	}
	return 0
}

func (t *trial) roundTrip(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, t.method, "http://m/", nil)
	if err != nil {
		panic(err)
	}
	if t.body != noBody {
		t.bodies.data = []byte("body " + t.name + " 0123456789 abcdefghijklmnop")
	}
	req.Header["User-Agent"] = nil
	servertest.Sign(req, t.name, t.bodies.data)
	if t.key {
		req.Header.Set("Idempotency-Key", t.name)
	}
	t.bodies.give(req, t.body)
	c := servertest.Call{Shape: t.shape, Response: []byte(`{"ret_code":0,"data":"` + t.name + ` 0123456789"}`)}
	switch {
	case t.method == http.MethodHead:
	case t.ranged:
		req.Header.Set("Range", "bytes=5-30")
		t.want = c.Response[5:31]
	default:
		t.want = c.Response
	}
	c.Busy = t.busy()
	t.world.ledger.Open(t.name, c)

	transport := &insist.RetryTransport{Base: t.world.base, Policy: t.rules.policy(&t.retries)}
	if t.openBodies != nil {
		transport.Base = t.openBodies
	}
	if t.body >= seekable {
		transport.Policy.MaxReplayBytes = -1 // it needs no memory
	}
	return transport.RoundTrip(req)
}

// judge holds what came of the call against what was promised.
func (t *trial) judge(r *result) {
	fail := func(f fault) { r.faults = append(r.faults, f) }
	if r.call.Mangled > 0 {
		fail(mangled)
	}
	if r.call.Carried > 1 && !t.idempotent() {
		fail(twice)
	}
	if r.took >= patience {
		fail(hung)
	}
	switch {
	case (r.status == 0) == (r.err == nil):
		fail(both)
	case r.err != nil:
		r.ending = failed
		if t.idempotent() {
			fail(notEnded)
		}
	case !t.right(r):
		fail(wrongBytes)
	case r.bodyErr != nil:
		r.ending = truncated
		if t.mended() {
			fail(notMended)
		}
	case r.call.Carried == 0:
		fail(unexpected)
	case r.retries > 0 || r.call.Arrived > 1:
		r.ending = again
	}
}

// right reports whether the caller got what there was, or as much of it as came
// before an error.
func (t *trial) right(r *result) bool {
	switch {
	case r.status != http.StatusOK && (!t.ranged || r.status != http.StatusPartialContent):
		return false
	case r.bodyErr == nil:
		return bytes.Equal(t.want, r.got)
	case bytes.HasPrefix(t.want, r.got):
		return true
	}
	return t.busy() > 0 && strings.HasPrefix(servertest.BusyBody, string(r.got))
}

// tidy looks for what is left, and ends it.
func (t *trial) tidy(r *result) {
	fail := func(f fault) { r.faults = append(r.faults, f) }
	if t.bodies.left() > 0 {
		fail(requestOpen)
	}
	if t.openBodies != nil && t.openBodies.open.Load() > 0 {
		fail(responseOpen)
	}
	t.world.base.CloseIdleConnections()
	synctest.Wait()
	if t.world.server.Open() > 0 {
		fail(connOpen)
	}
	t.world.server.Clear()
	synctest.Wait()
}
