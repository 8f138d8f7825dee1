package integrationtests

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

var exchanges = flag.Int("exchanges", 1+600/stride, "how many `times` to run TestRandomExchanges' server")

// TestRandomExchanges has callers share a transport and its connections, which are
// cut at random, and a server that does at random whatever a server may do: it
// answers before the body has come, goes on reading or doesn't, aborts, is slow,
// and has another version of what it serves. Bodies are of every kind and of sizes
// up to several windows of HTTP/2; some get stuck. No byte may be wrong at either
// end, and nothing may be left.
func TestRandomExchanges(t *testing.T) {
	for i := range uint64(*exchanges) {
		for j, p := range []servertest.Proto{servertest.HTTP1, servertest.H2C} {
			synctest.Test(t, func(t *testing.T) {
				x := &exchange{T: t, protocol: p, dice: &dice{Rand: rand.New(rand.NewPCG(*seed, 2*i+uint64(j)))}}
				x.run()
			})
			if t.Failed() {
				t.Fatalf("-seed %d, number %d, %s", *seed, i, p.Name)
			}
		}
	}
}

// exchange is a server, and callers.
type exchange struct {
	*testing.T
	*dice
	protocol servertest.Proto
	tick     time.Duration // all times are multiples of it: many things happen at once
	base     *http.Transport
	handlers sync.WaitGroup

	mu      sync.Mutex
	arrived int
	version int
	carried map[string]int
	bodies  []*bodies
}

func (x *exchange) run() {
	x.carried = make(map[string]int)
	x.tick = []time.Duration{time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond}[x.below(3)]
	server := x.protocol.StartOnNetwork(x)
	server.Segment(x.below(3) * 1000)
	for i := range 12 {
		if x.oneIn(2) {
			server.Cut(i, servertest.CutAt{
				Way:       ways[x.below(len(ways))],
				Direction: servertest.Direction(x.below(2)),
				After:     int64(x.size()),
			})
		}
	}
	x.base = server.Transport(x.below(2) * 5000)
	x.base.ExpectContinueTimeout = time.Second
	policy := x.policy()
	// Without a time limit a Read of gzip's header that stalls is ended by nothing.
	x.base.DisableCompression = policy.PerAttemptTimeout == 0 && policy.BodyIdleTimeout == 0 || x.oneIn(2)
	var callers sync.WaitGroup
	for i := range 1 + x.below(4) {
		callers.Go(func() {
			for j := range 3 {
				x.call(policy, fmt.Sprintf("call-%d-%d", i, j))
			}
		})
	}
	callers.Wait()
	time.Sleep(2 * stuckFor)
	synctest.Wait()
	for _, b := range x.bodies {
		if n := b.left(); n > 0 {
			x.Errorf("%d of %d readers left open: %s", n, len(b.readers), b.about)
		}
	}
	x.base.CloseIdleConnections()
	synctest.Wait()
	if n := server.Open(); n > 0 {
		x.Errorf("%d connections left open", n)
	}
	server.Close()
	x.handlers.Wait()
	time.Sleep(time.Minute) // net/http's server lingers after an error
}

func (x *exchange) time(most time.Duration) time.Duration {
	return time.Duration(x.below(int(most/x.tick)+1)) * x.tick
}

func (x *exchange) oneIn(n int) bool { return x.below(n) == 0 }

// size is a size, small ones being as likely as large ones.
func (x *exchange) size() int {
	return x.below(10) * x.below([]int{2, 20, 200, 2000, 30_000}[x.below(5)])
}

func (x *exchange) policy() insist.Policy {
	p := insist.Policy{MaxAttempts: 1 + x.below(6), Backoff: insist.Constant(x.time(2 * time.Second))}
	if x.oneIn(2) {
		p.Backoff = insist.Constant(0)
	}
	if x.oneIn(2) {
		p.PerAttemptTimeout = x.tick + x.time(5*time.Second)
	}
	if p.MaxAttempts == 1 && p.PerAttemptTimeout == 0 {
		// Then the body is the base's alone, and net/http's HTTP/2 forgets one that
		// GetBody has given it when no connection is left.
		p.PerAttemptTimeout = time.Minute
	}
	if x.oneIn(3) {
		p.BodyIdleTimeout = x.tick + x.time(5*time.Second)
	}
	if x.oneIn(3) {
		p.MaxWholeBytes = int64(x.size())
	}
	if x.oneIn(3) {
		p.MaxReplayBytes = int64(x.size()) - 1
	}
	if x.oneIn(3) {
		p.RetryableBody = func(_ *http.Request, _ *http.Response, _ int, body io.Reader) insist.Decision {
			io.CopyN(io.Discard, body, int64(x.size()))
			return insist.Decision{}
		}
	}
	if x.oneIn(3) {
		p.NonIdempotent = insist.ResendOnlyUnsent
	}
	if x.oneIn(3) {
		p.OnAttempt = func(context.Context, insist.Attempt) {}
	}
	if x.oneIn(3) {
		p.Hedge = &insist.Hedge{Delay: x.tick + x.time(time.Second), Extra: 1 + x.below(3), Share: 10}
	}
	if x.oneIn(5) {
		p.IdempotencyKey = func(*http.Request) string { return "key" }
	}
	if x.oneIn(5) {
		p.Cooldown = new(insist.Cooldown)
	}
	if x.oneIn(3) {
		p.Prepare = func(req *http.Request, _ *http.Response, _ error) error {
			req.Header.Set("Prepared", "yes")
			return nil
		}
	}
	p.ResumeDownloads = x.oneIn(2)
	return p
}

// call makes a request and reads its response in some way.
func (x *exchange) call(policy insist.Policy, name string) {
	ctx, cancel := context.WithTimeout(x.Context(), 2*time.Minute)
	defer cancel()
	if x.oneIn(6) {
		stop := time.AfterFunc(x.time(3*time.Second), cancel)
		defer stop.Stop()
	}
	methods := []string{"GET", "GET", "DELETE", "PUT", "PUT", "POST", "POST", "POST"}
	req, _ := http.NewRequestWithContext(ctx, methods[x.below(len(methods))], "http://m/", nil)
	x.upload(req, name)
	req.Header.Set("Name", name)
	if x.oneIn(3) {
		req.Header.Set("Idempotency-Key", name)
	}
	if x.oneIn(5) {
		req.Header.Set("Expect", "100-continue")
	}
	begun := time.Now()
	resp, err := (&insist.RetryTransport{Base: x, Policy: policy}).RoundTrip(req)
	if took := time.Since(begun); took > patience {
		x.Errorf("%s took %v", name, took)
	}
	if (resp == nil) == (err == nil) {
		x.Errorf("%s: %v, %v", name, resp, err)
	}
	if resp != nil {
		x.read(resp, name, policy)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.carried[name]; n > 1 && once(req) && policy.IdempotencyKey == nil {
		x.Errorf("%s was carried out %d times", name, n)
	}
}

// RoundTrip is the base: net/http's transport, or a signer above it, which reads a
// copy of the body first.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.GetBody == nil || x.oneIn(2) {
		return x.base.RoundTrip(req)
	}
	data, err := x.readCopy(req)
	if err != nil {
		req.Body.Close()
		return nil, err
	}
	if got := sum(data); got != req.Header.Get("Sum") {
		x.Errorf("%s: a mangled copy of %d bytes", req.Header.Get("Name"), len(data))
	}
	return x.base.RoundTrip(req)
}

func (x *exchange) readCopy(req *http.Request) ([]byte, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

func (x *exchange) WrappedRoundTripper() http.RoundTripper { return x.base }

// once reports whether req must be carried out once at most.
func once(req *http.Request) bool {
	return req.Method == http.MethodPost && req.Header.Get("Idempotency-Key") == ""
}

// upload gives req a body of some kind.
func (x *exchange) upload(req *http.Request, name string) {
	b := &bodies{step: 1 + x.size(), last: x.oneIn(2), seeks: x.oneIn(2)}
	kind := noBody
	if req.Method != "GET" || x.oneIn(4) {
		kind = bodyKind(x.below(int(bodyKinds)))
	}
	if kind != noBody {
		b.data = append([]byte(name+" "), servertest.Pattern(x.size())...)
	}
	b.step = max(b.step, len(b.data)/50)
	if x.oneIn(3) {
		b.slow = x.time(50 * time.Millisecond)
	}
	if x.oneIn(10) && kind != noBody {
		b.stuckAt = 1 + x.below(len(b.data))
	}
	b.give(req, kind)
	if kind == onceUnknown && x.oneIn(2) {
		req.Trailer = http.Header{"Sum-Trailer": nil}
		b.trailer = req.Trailer
	}
	if kind != inMemory && req.ContentLength > 0 && x.oneIn(20) {
		req.ContentLength++ // a mistake of the caller's
	}
	b.about = fmt.Sprintf("%s %s %s %v", x.protocol.Name, name, req.Method, kind)
	req.Header.Set("Sum", sum(b.data))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.bodies = append(x.bodies, b)
}

// read reads a response, or a part of it, and closes it.
func (x *exchange) read(resp *http.Response, name string, policy insist.Policy) {
	defer resp.Body.Close()
	for range resp.Trailer { // it is the caller's, who may do that
	}
	switch x.below(8) {
	case 0:
		io.CopyN(io.Discard, resp.Body, int64(x.size()))
		return
	case 1:
		// On HTTP/1, and for gzip, net/http waits for a mutex then; virtual time stands
		// still for that.
		if resp.ProtoMajor < 2 || resp.Uncompressed {
			break
		}
		stop := time.AfterFunc(x.time(time.Second), func() { resp.Body.Close() })
		defer stop.Stop()
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	text, mark, ok := bytes.Cut(data, []byte(end))
	if !ok || string(mark) != sum(text) || !bytes.HasPrefix(text, []byte(name)) && resp.Header.Get("Etag") == "" {
		x.Errorf("%s: %s, %d, wrong response of %d bytes %.100q ... %q; Content-Length %d, uncompressed %v, %v, trailer %v; %+v", name, resp.Proto, resp.StatusCode,
			len(data), data, data[max(0, len(data)-100):], resp.ContentLength, resp.Uncompressed, resp.Header, resp.Trailer, policy)
	}
	if got := resp.Trailer.Get("Sum-Trailer"); got != "" && got != sum(data) {
		x.Errorf("%s: %d, another response's trailer", name, resp.StatusCode)
	}
}
