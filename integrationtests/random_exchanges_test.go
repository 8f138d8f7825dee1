package integrationtests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
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
			x.Errorf("%d readers left open of %q", n, b.data[:min(len(b.data), 20)])
		}
	}
	x.base.CloseIdleConnections()
	synctest.Wait()
	if n := server.Open(); n > 0 {
		x.Errorf("%d connections left open", n)
	}
	server.Close()
	x.handlers.Wait()
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
		p.PerAttemptTimeout = time.Millisecond + x.time(5*time.Second)
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
	methods := []string{"GET", "PUT", "POST", "POST"}
	req, _ := http.NewRequestWithContext(ctx, methods[x.below(len(methods))], "http://m/", nil)
	b := &bodies{step: 1 + x.size(), last: x.oneIn(2), seeks: x.oneIn(2)}
	kind := noBody
	if req.Method != "GET" {
		kind = bodyKind(x.below(int(seekable) + 1))
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
	x.mu.Lock()
	x.bodies = append(x.bodies, b)
	x.mu.Unlock()
	b.give(req, kind)
	req.Header.Set("Name", name)
	req.Header.Set("Sum", sum(b.data))
	once := req.Method == "POST"
	if x.oneIn(3) {
		req.Header.Set("Idempotency-Key", name)
		once = false
	}
	if x.oneIn(5) {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := (&insist.RetryTransport{Base: x.base, Policy: policy}).RoundTrip(req)
	if (resp == nil) == (err == nil) {
		x.Errorf("%s: %v, %v", name, resp, err)
	}
	if resp != nil {
		x.read(resp, name)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.carried[name]; once && n > 1 {
		x.Errorf("%s was carried out %d times", name, n)
	}
}

// read reads a response, or a part of it, and closes it.
func (x *exchange) read(resp *http.Response, name string) {
	defer resp.Body.Close()
	if x.oneIn(5) {
		io.CopyN(io.Discard, resp.Body, int64(x.size()))
		return
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	text, mark, ok := bytes.Cut(data, []byte(end))
	if !ok || string(mark) != sum(text) || !bytes.HasPrefix(text, []byte(name)) && resp.Header.Get("Etag") == "" {
		x.Errorf("%s: %d, wrong response of %d bytes %.100q", name, resp.StatusCode, len(data), data)
	}
}

// end comes before the hash of what is before it.
const end = "\nend of the data, whose hash is "

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// ServeHTTP is the server.
func (x *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.handlers.Add(1)
	defer x.handlers.Done()
	name, control := r.Header.Get("Name"), http.NewResponseController(w)
	x.mu.Lock()
	x.arrived++
	number := x.arrived
	x.mu.Unlock()
	duplex := x.oneIn(2)
	if duplex {
		control.EnableFullDuplex() // else HTTP/1's server reads the rest by itself before it answers
	}
	body := &hashed{from: r.Body, sum: sha256.New()}
	defer x.check(body, r)
	code := []int{200, 200, 503, 429, 404}[x.below(5)]
	if x.oneIn(2) {
		body.skip(x.size())
		x.pause()
		if x.oneIn(4) {
			panic(http.ErrAbortHandler)
		}
		if code == 200 && r.Method == "POST" && r.Header.Get("Idempotency-Key") == "" {
			code = 503 // not to be carried out
		}
		x.respond(w, r, code, fmt.Sprintf("%s %d early ", name, number))
		if duplex {
			control.Flush()
			x.pause()
			body.skip(1 << 30)
		}
		return
	}
	body.skip(1 << 30)
	if !body.whole() {
		panic(http.ErrAbortHandler)
	}
	if code == 200 {
		x.mu.Lock()
		x.carried[name]++
		x.mu.Unlock()
		if x.oneIn(4) {
			x.pause()
			panic(http.ErrAbortHandler)
		}
	}
	x.respond(w, r, code, fmt.Sprintf("%s %d ", name, number))
}

func (x *exchange) pause() {
	if x.oneIn(3) {
		time.Sleep(x.time(8 * time.Second))
	}
}

// check holds a body that the server has taken for whole against what was to come.
func (x *exchange) check(body *hashed, r *http.Request) {
	if got := hex.EncodeToString(body.sum.Sum(nil)); body.whole() && got != r.Header.Get("Sum") {
		x.Errorf("%s %s %s: a mangled body of %d bytes, Content-Length %d, %v", r.Proto, r.Method, r.Header.Get("Name"), body.n, r.ContentLength, r.Header)
	}
}

// respond sends a response. Those to GET are one resource, which changes.
func (x *exchange) respond(w http.ResponseWriter, r *http.Request, code int, text string) {
	if r.Method == "GET" && code == 200 {
		x.resource(w, r)
		return
	}
	data := mark(text, x.size())
	if x.oneIn(2) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	}
	w.WriteHeader(code)
	x.write(w, data)
}

func mark(text string, size int) []byte {
	data := append([]byte(text), servertest.Pattern(size)...)
	return append(data, end+sum(data)...)
}

func (x *exchange) resource(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	if x.oneIn(4) {
		x.version++
	}
	version := x.version
	x.mu.Unlock()
	data := mark(fmt.Sprintf("version %d ", version), 20_000)
	h := w.Header()
	h.Set("Etag", fmt.Sprintf(`"%d"`, version))
	h.Set("Content-Type", "text/plain")
	h.Set("Accept-Ranges", "bytes")
	switch {
	case r.Header.Get("Range") == "":
		if x.oneIn(2) {
			h.Set("Content-Length", fmt.Sprint(len(data)))
		}
		x.write(w, data)
	case x.oneIn(10): // ignores Range
		x.write(w, data)
	default:
		if x.oneIn(5) { // ignores If-Range
			r.Header.Del("If-Range")
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	}
}

// write sends data in pieces, or breaks off.
func (x *exchange) write(w io.Writer, data []byte) {
	flush := w.(http.Flusher)
	for len(data) > 0 {
		n := min(len(data), 1+x.size())
		if _, err := w.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		switch x.below(8) {
		case 0:
			flush.Flush()
			x.pause()
		case 1:
			if x.oneIn(4) {
				panic(http.ErrAbortHandler)
			}
		}
	}
}

// hashed is a request body as it comes to the server.
type hashed struct {
	from io.Reader
	sum  hash.Hash
	n    int64
	err  error // the first: after it net/http may say that the body has ended
}

func (h *hashed) skip(n int) {
	if h.err != nil {
		return
	}
	m, err := io.CopyN(h.sum, h.from, int64(n))
	h.n, h.err = h.n+m, err
}

// whole reports whether the body has come to its end.
func (h *hashed) whole() bool { return h.err == io.EOF }
