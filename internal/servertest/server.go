package servertest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist/insisttest"
)

// Each runs a test on HTTP/1.1 and on HTTP/2. Code that is correct on one of them only by
// accident fails on the other.
func Each(t *testing.T, test func(t *testing.T, p Proto)) {
	for _, p := range []Proto{HTTP1, HTTP2} {
		t.Run(p.Name, func(t *testing.T) { test(t, p) })
	}
}

// Proto is a version of HTTP, with or without TLS.
type Proto struct {
	Name  string
	major int
	plain bool // without TLS
}

// The versions of HTTP that tests run on.
var (
	HTTP1 = Proto{"HTTP/1.1", 1, true}
	HTTP2 = Proto{"HTTP/2", 2, false}
	H2C   = Proto{"HTTP/2 without TLS", 2, true} // its connections cost little
)

// Server is a server and the transport to reach it by.
type Server struct {
	*httptest.Server
	Base *http.Transport
}

// Start starts a server that speaks p. tweaks are applied before it starts.
func (p Proto) Start(t *testing.T, h http.HandlerFunc, tweaks ...func(*httptest.Server)) *Server {
	t.Helper()
	s := httptest.NewUnstartedServer(checked{t, p, h})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	for _, tweak := range tweaks {
		tweak(s)
	}
	s.EnableHTTP2 = p == HTTP2
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(p == HTTP1)
	s.Config.Protocols.SetHTTP2(p == HTTP2)
	s.Config.Protocols.SetUnencryptedHTTP2(p == H2C)
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
	return &Server{s, base}
}

// checked fails the test if a request arrives by another protocol than p.
type checked struct {
	t    *testing.T
	p    Proto
	next http.Handler
}

func (c checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != c.p.major {
		c.t.Errorf("%s came by %s", r.Method, r.Proto)
	}
	c.next.ServeHTTP(w, r)
}

type connKey struct{}

// Cut closes the connection of r without a response: by a TCP reset, or without one, as
// when the server process ends.
func Cut(r *http.Request, reset bool) {
	c := r.Context().Value(connKey{}).(net.Conn)
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if reset {
		c.(*net.TCPConn).SetLinger(0)
	}
	c.Close()
	panic(http.ErrAbortHandler)
}

// Counter counts requests for each path.
type Counter struct {
	mu   sync.Mutex
	seen map[string]int
}

// Next returns the number of this request among those to the same path.
func (c *Counter) Next(r *http.Request) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = make(map[string]int)
	}
	c.seen[r.URL.Path]++
	return c.seen[r.URL.Path]
}

// Count returns how many requests there were to path.
func (c *Counter) Count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[path]
}

// Fault is a way in which a server fails a request.
type Fault struct {
	Name string
	Runs int // how often a test plays it: more often if the result depends on timing
	Play http.HandlerFunc
}

// Faults are the ways in which a server fails an upload.
var Faults = []Fault{
	{"early 503", 20, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}},
	{"503 in mid-upload", 5, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			http.NewResponseController(w).EnableFullDuplex()
			w.Header().Set("Connection", "close")
		}
		io.CopyN(io.Discard, r.Body, 10_000)
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}},
	{"reset before headers", 2, func(w http.ResponseWriter, r *http.Request) { Cut(r, true) }},
	{"reset in mid-upload", 5, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 300_000)
		Cut(r, true)
	}},
	{"closed without a response", 2, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		Cut(r, false)
	}},
	{"stream aborted", 2, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }},
}

// EachInMemory runs a test against a real server on HTTP/1.1 and on HTTP/2, in
// virtual time. base reaches the server.
func EachInMemory(t *testing.T, h http.HandlerFunc, test func(t *testing.T, base *http.Transport)) {
	for _, p := range []Proto{HTTP1, H2C} {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, p.InMemory(t, h)) })
		})
	}
}

// InMemory starts a server on a network in memory, in a bubble of virtual time, and
// returns the transport that reaches it.
func (p Proto) InMemory(t *testing.T, h http.Handler) *http.Transport {
	li := insisttest.NewListener()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(p == HTTP1)
	protocols.SetUnencryptedHTTP2(p == H2C)
	s := &http.Server{Handler: h, Protocols: protocols}
	go s.Serve(li)
	base := &http.Transport{DialContext: li.Dial, Protocols: protocols}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		s.Close()
		time.Sleep(time.Minute) // virtual time, for the slowest handler
		synctest.Wait()
	})
	return base
}
