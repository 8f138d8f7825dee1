package conn

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Watch learns from the hooks of httptrace which connection an attempt is given, and
// may refuse one of HTTP/1 that was kept: it closes it. net/http then takes another
// one and, when none is left, a new one.
type Watch struct {
	transport *http.Transport // below the base; nil if not known
	wrapped   bool            // what is there may be another one
	since     time.Time       // kept connections that have not been used after that are refused; zero: none
	getConn   func(string)
	gotConn   func(httptrace.GotConnInfo)

	mu      sync.Mutex
	asked   int   // how often a connection was asked for since one was given
	current given // zero while one is asked for
}

// given is a connection that an attempt was given.
type given struct {
	conn    net.Conn
	addr    string // that was asked for
	asked   int
	reused  bool
	refused bool
}

// Hook adds w's hooks to those of trace. A nil Watch has none.
func (w *Watch) Hook(trace *httptrace.ClientTrace) {
	if w == nil {
		return
	}
	w.gotConn, trace.GotConn = trace.GotConn, w.give
	if w.wrapped || w.transport == nil || !w.since.IsZero() { // else it would tell nothing
		w.getConn, trace.GetConn = trace.GetConn, w.ask
	}
}

// ask may be called with net/http's locks held.
func (w *Watch) ask(addr string) {
	w.mu.Lock()
	w.asked++
	w.current = given{addr: addr, asked: w.asked}
	w.mu.Unlock()
	if w.getConn != nil {
		w.getConn(addr)
	}
}

// give is called before anything is sent, by the goroutine that is going to.
func (w *Watch) give(info httptrace.GotConnInfo) {
	w.mu.Lock()
	w.asked = 0
	w.current.conn, w.current.reused = info.Conn, info.Reused
	c := w.current
	w.mu.Unlock()
	if w.refuses(c, info) {
		w.mu.Lock()
		w.current.refused = true
		w.mu.Unlock()
		beneath(c.conn).Close()
		return
	}
	if w.gotConn != nil {
		w.gotConn(info)
	}
}

// refuses reports whether c is one of HTTP/1 that may have died.
func (w *Watch) refuses(c given, info httptrace.GotConnInfo) bool {
	return unusedSince(w.since, info) && c.protocol(w.transport) != http2
}

// unusedSince reports whether a connection was kept idle since before then. One that
// has been used after that is alive. If then is zero, it is none.
func unusedSince(then time.Time, info httptrace.GotConnInfo) bool {
	return !then.IsZero() && info.Conn != nil && info.WasIdle && !time.Now().Add(-info.IdleTime).After(then)
}

// last returns the connection that the attempt has been given.
func (w *Watch) last() given {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current
}

type protocol uint8

const (
	unknown protocol = iota
	http1
	http2
)

// protocol returns what is spoken on c. Without TLS net/http speaks HTTP/2 only where
// it may not speak HTTP/1. If t is not known, the hooks tell for a connection that
// was kept: one of HTTP/2 is in two pools, which call GetConn each.
func (c given) protocol(t *http.Transport) protocol {
	if s, ok := c.conn.(*tls.Conn); ok {
		if s.ConnectionState().NegotiatedProtocol == "h2" {
			return http2
		}
		return http1
	}
	switch {
	case t == nil && !c.reused:
		return unknown
	case t == nil && c.asked > 1:
		return http2
	case t == nil:
		return http1
	case t.Protocols != nil && t.Protocols.UnencryptedHTTP2() && !t.Protocols.HTTP1():
		return http2
	}
	return http1
}

// beneath returns the connection below c's TLS, whose Close would write first.
func beneath(c net.Conn) net.Conn {
	if s, ok := c.(*tls.Conn); ok {
		return s.NetConn()
	}
	return c
}
