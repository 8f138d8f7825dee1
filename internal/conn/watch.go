package conn

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Watch learns from httptrace's hooks which connection an attempt is given. It may refuse
// an idle HTTP/1 connection by closing it. net/http then uses another idle connection or,
// if there is none, dials a new one.
type Watch struct {
	transport *http.Transport // below the base; nil if not known
	wrapped   bool            // a wrapper above transport may change the request's address
	onlyHTTP2 bool            // the base is golang.org/x/net/http2's transport
	since     time.Time       // idle connections that have not been used after this time are refused; zero means none
	getConn   func(string)
	gotConn   func(httptrace.GotConnInfo)

	mu      sync.Mutex
	asked   int   // how often a connection was requested since the last one was given
	current given // only addr and asked are set until a connection is given
}

// given is a connection that an attempt was given.
type given struct {
	conn    net.Conn
	addr    string // that was requested
	asked   int    // how often a connection was requested before this one was given
	reused  bool
	refused bool
}

// Hook adds w's hooks to those of trace. A nil Watch has none.
func (w *Watch) Hook(trace *httptrace.ClientTrace) {
	if w == nil {
		return
	}
	w.gotConn, trace.GotConn = trace.GotConn, w.give
	if w.wrapped || w.transport == nil || !w.since.IsZero() { // otherwise ask isn't needed
		w.getConn, trace.GetConn = trace.GetConn, w.ask
	}
}

// ask is the GetConn hook. net/http may hold its locks when it calls it.
func (w *Watch) ask(addr string) {
	w.mu.Lock()
	w.asked++
	w.current = given{addr: addr, asked: w.asked}
	w.mu.Unlock()
	if w.getConn != nil {
		w.getConn(addr)
	}
}

// give is the GotConn hook. It is called before anything is sent, on the goroutine that
// sends the request.
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

// refuses reports whether c is an HTTP/1 connection, or may be one, that may have failed
// while it was idle.
func (w *Watch) refuses(c given, info httptrace.GotConnInfo) bool {
	return !w.onlyHTTP2 && unusedSince(w.since, info) && c.protocol(w.transport) != http2
}

// unusedSince reports whether a connection has been idle since before then. If it has been
// used after that, it works. If then is zero, the result is false.
func unusedSince(then time.Time, info httptrace.GotConnInfo) bool {
	return !then.IsZero() && info.Conn != nil && info.WasIdle && !time.Now().Add(-info.IdleTime).After(then)
}

// last returns the last connection that the attempt was given.
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

// protocol returns the protocol of c. Without TLS, net/http speaks HTTP/2 only if HTTP/1
// is disabled. If t is nil and c was reused, the number of GetConn calls shows the
// protocol: HTTP/2 connections are looked up in two pools, and each calls GetConn.
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

// beneath returns the connection below c's TLS. The Close of a TLS connection would send
// an alert first.
func beneath(c net.Conn) net.Conn {
	if s, ok := c.(*tls.Conn); ok {
		return s.NetConn()
	}
	return c
}
