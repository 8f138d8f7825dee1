package insist_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// The tests in the files httptest_server*_test.go run against a real server and
// net/http's own transport over real sockets.

// srvEach runs a test on HTTP/1.1 and on HTTP/2: what is right on the one by
// accident is wrong on the other.
func srvEach(t *testing.T, test func(t *testing.T, p srvProto)) {
	for _, p := range []srvProto{http11, http2} {
		t.Run(p.name, func(t *testing.T) { test(t, p) })
	}
}

type srvProto struct {
	name  string
	major int
	plain bool // without TLS
}

var (
	http11   = srvProto{"HTTP/1.1", 1, true}
	http2    = srvProto{"HTTP/2", 2, false}
	http2raw = srvProto{"HTTP/2 without TLS", 2, true} // its connections cost little
)

// server is a server and the transport to reach it by.
type server struct {
	*httptest.Server
	base *http.Transport
}

// start starts a server that speaks p; tweaks are made before.
func (p srvProto) start(t *testing.T, h http.HandlerFunc, tweaks ...func(*httptest.Server)) *server {
	t.Helper()
	s := httptest.NewUnstartedServer(srvChecked{t, p, h})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, srvConnKey{}, c)
	}
	for _, tweak := range tweaks {
		tweak(s)
	}
	s.EnableHTTP2 = p == http2
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(p == http11)
	s.Config.Protocols.SetHTTP2(p == http2)
	s.Config.Protocols.SetUnencryptedHTTP2(p == http2raw)
	if p.plain {
		s.Start()
	} else {
		s.StartTLS()
	}
	base := s.Client().Transport.(*http.Transport)
	base.Protocols = s.Config.Protocols
	t.Cleanup(func() {
		base.CloseIdleConnections()
		s.Close()
	})
	return &server{s, base}
}

// srvChecked sees to it that a test tests the protocol it is meant to.
type srvChecked struct {
	t    *testing.T
	p    srvProto
	next http.Handler
}

func (c srvChecked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != c.p.major {
		c.t.Errorf("%s came by %s", r.Method, r.Proto)
	}
	c.next.ServeHTTP(w, r)
}

type srvConnKey struct{}

// srvCut ends the connection that r came by: with a TCP reset, or as if the
// server had crashed in between.
func srvCut(r *http.Request, reset bool) {
	c := r.Context().Value(srvConnKey{}).(net.Conn)
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if reset {
		c.(*net.TCPConn).SetLinger(0)
	}
	c.Close()
	panic(http.ErrAbortHandler)
}

// eager retries at once, four attempts in all.
var eager = insist.Policy{MaxAttempts: 4, Backoff: insist.Constant(0)}

// over returns a transport that retries over s, edited.
func (s *server) over(edits ...func(*insist.Policy)) *insist.RetryTransport {
	p := eager
	for _, edit := range edits {
		edit(&p)
	}
	return &insist.RetryTransport{Base: s.base, Policy: p}
}

// request makes a request for s, and the record of its attempts.
func (s *server) request(t testing.TB, method, path string, body io.Reader) (*http.Request, *insist.Record) {
	t.Helper()
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	require.NoError(t, err)
	return req, record
}

// reasons returns the reasons on record for the only call.
func reasons(t testing.TB, r *insist.Record) (all []insist.Reason) {
	t.Helper()
	calls := r.Calls()
	require.Len(t, calls, 1)
	for _, a := range calls[0] {
		all = append(all, a.Reason)
	}
	return all
}

// srvPattern returns n bytes of which no part repeats another.
func srvPattern(n int) []byte {
	p, x := make([]byte, n), uint64(88172645463325252)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x)
	}
	return p
}

// digest names a body: its length and hash.
func digest(p []byte) string { return fmt.Sprintf("%d bytes, %x", len(p), sha256.Sum256(p)) }

// digestOf reads a body to its end.
func digestOf(r io.Reader) string {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return fmt.Sprintf("%d bytes, then %v", n, err)
	}
	return fmt.Sprintf("%d bytes, %x", n, h.Sum(nil))
}

// counter counts the requests by path.
type counter struct {
	mu   sync.Mutex
	seen map[string]int
}

// next returns the number of this request among those to the same path.
func (c *counter) next(r *http.Request) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = make(map[string]int)
	}
	c.seen[r.URL.Path]++
	return c.seen[r.URL.Path]
}

func (c *counter) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[path]
}

// srvText reads and closes a response body.
func srvText(t testing.TB, resp *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(text)
}
