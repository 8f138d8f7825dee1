package neterr

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"sync"
)

// ErrRepeated is the error of an attempt that a Guard has ended.
var ErrRepeated = errors.New("insist: net/http would have sent the request again, although the server may have acted on it")

// Guard keeps net/http from repeating, within an attempt, a request on which the server
// may have acted. On HTTP/1 net/http doesn't do so with those that it takes for
// non-idempotent. On HTTP/2 it repeats each that has no body, or a GetBody, after
// REFUSED_STREAM and GOAWAY, which prove that the server did nothing, and after
// PROTOCOL_ERROR, which proves nothing: the latter without end (golang/go#52459). It does
// not tell which. But after PROTOCOL_ERROR it doesn't use the same connection. So a Guard
// ends the attempt when a request that was written, and not answered, is about to be
// written to another connection. net/http calls GotConn before it does that, and writes
// nothing once the context has ended. A GOAWAY that meets a request in flight looks the
// same, and ends the attempt, too.
type Guard struct {
	cancel  context.CancelCauseFunc
	h2c     bool
	tracker *Tracker

	mu      sync.Mutex
	conn    net.Conn // of the last try by HTTP/2
	written bool     // the last try was, and has not been answered
}

// NewGuard returns a Guard that ends an attempt by cancel. h2c means that connections
// without TLS may speak HTTP/2.
func NewGuard(cancel context.CancelCauseFunc, h2c bool) *Guard {
	return &Guard{cancel: cancel, h2c: h2c}
}

func (g *Guard) gotConn(info httptrace.GotConnInfo) {
	g.tracker.gotConn(info)
	if !g.speaksHTTP2(info.Conn) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.written && info.Conn != g.conn && isSameServer(info.Conn, g.conn) {
		g.cancel(ErrRepeated)
	}
	g.conn, g.written = info.Conn, false
}

func (g *Guard) wroteHeaders() {
	g.tracker.wroteHeaders()
	g.setWritten(true)
}

func (g *Guard) gotFirstResponseByte() { g.setWritten(false) }

func (g *Guard) setWritten(to bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written = to && g.conn != nil
}

func (g *Guard) speaksHTTP2(c net.Conn) bool {
	if state, ok := tlsState(c); ok {
		return state.NegotiatedProtocol == "h2"
	}
	return g.h2c
}

// isSameServer reports whether two connections are to one server, as far as TLS tells. A
// layer below may send another request with the same context (a mirror does).
func isSameServer(a, b net.Conn) bool {
	one, ok := tlsState(a)
	if !ok {
		return true
	}
	other, _ := tlsState(b)
	return one.ServerName == other.ServerName
}

func tlsState(c net.Conn) (state tls.ConnectionState, ok bool) {
	t, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return state, false
	}
	return t.ConnectionState(), true
}

// SpeaksH2C reports whether rt, net/http's transport or golang.org/x/net/http2's, may
// speak HTTP/2 without TLS. known means that it is one of these.
func SpeaksH2C(rt http.RoundTripper) (h2c, known bool) {
	if t, ok := rt.(*http.Transport); ok {
		return t.Protocols != nil && t.Protocols.UnencryptedHTTP2(), true
	}
	if reflect.TypeOf(rt).String() == "*http2.Transport" {
		return true, true
	}
	return false, false
}
