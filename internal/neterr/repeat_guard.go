package neterr

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"sync"
)

// ErrRepeated is the error of an attempt that a RepeatGuard has ended.
var ErrRepeated = errors.New("insist: net/http would have sent the request again, although the server may have acted on it")

// RepeatGuard keeps net/http from repeating, within an attempt, a request on which the
// server may have acted.
//
// On HTTP/1 net/http doesn't do so, unless it takes the request for an idempotent one. On
// HTTP/2 it repeats whatever has no body, or a GetBody: after REFUSED_STREAM and a GOAWAY,
// which prove that the server did nothing, and after PROTOCOL_ERROR, which proves nothing,
// without end (golang/go#52459). It does not say why it does. But after PROTOCOL_ERROR it
// takes another connection. So the attempt is ended when a request that was written, and
// not answered, is about to be written to another connection. A GOAWAY that meets a
// request in flight looks the same, and ends the attempt, too.
type RepeatGuard struct {
	stop  func()
	h2c   bool
	inner httptrace.ClientTrace // the hooks that were set before

	mu      sync.Mutex
	conn    net.Conn // of the last try by HTTP/2
	written bool     // the last try was, and has not been answered
	stopped bool
}

// NewRepeatGuard returns a guard that ends an attempt by stop, which is called before the
// request is written. h2c means that connections without TLS speak HTTP/2.
func NewRepeatGuard(stop func(), h2c bool) *RepeatGuard {
	return &RepeatGuard{stop: stop, h2c: h2c}
}

// Spoil makes a request one that HTTP/2 can't encode, so that it returns an error and
// writes nothing. It is for a RepeatGuard's stop, where net/http's transport itself was
// given req, without a body: then it has made no copy. net/http calls GotConn on the
// goroutine that goes on with req, when nobody else uses it.
func Spoil(req *http.Request) { req.Trailer = http.Header{"Content-Length": nil} }

// Stopped reports whether the guard has ended the attempt. That of a nil guard has not
// been.
func (g *RepeatGuard) Stopped() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}

// Hook adds g's hooks to those of trace. A nil guard has none.
func (g *RepeatGuard) Hook(trace *httptrace.ClientTrace) {
	if g == nil {
		return
	}
	g.inner.GotConn, trace.GotConn = trace.GotConn, g.gotConn
	g.inner.WroteHeaders, trace.WroteHeaders = trace.WroteHeaders, g.wroteHeaders
	g.inner.GotFirstResponseByte, trace.GotFirstResponseByte = trace.GotFirstResponseByte, g.gotFirstResponseByte
}

func (g *RepeatGuard) gotConn(info httptrace.GotConnInfo) {
	if g.inner.GotConn != nil {
		g.inner.GotConn(info)
	}
	if !g.speaksHTTP2(info.Conn) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.written && !isSame(info.Conn, g.conn) && isSameServer(info.Conn, g.conn) {
		g.stopped = true
		g.stop()
	}
	g.conn, g.written = info.Conn, false
}

func (g *RepeatGuard) wroteHeaders() {
	if g.inner.WroteHeaders != nil {
		g.inner.WroteHeaders()
	}
	g.setWritten(true)
}

func (g *RepeatGuard) gotFirstResponseByte() {
	if g.inner.GotFirstResponseByte != nil {
		g.inner.GotFirstResponseByte()
	}
	g.setWritten(false)
}

func (g *RepeatGuard) setWritten(to bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written = to && g.conn != nil
}

func (g *RepeatGuard) speaksHTTP2(c net.Conn) bool {
	if state, ok := tlsState(c); ok {
		return state.NegotiatedProtocol == "h2"
	}
	return g.h2c
}

// isSame reports whether a and b are one connection. One of a type that can't be compared
// is none.
func isSame(a, b net.Conn) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// isSameServer reports whether two connections are to one server, as far as TLS tells. A
// layer below may send another request with the same context, as a mirror does.
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

// SpeaksH2C reports whether rt is known to speak HTTP/2 without TLS: net/http's transport
// if it may not speak HTTP/1, or golang.org/x/net/http2's.
func SpeaksH2C(rt http.RoundTripper) bool {
	if t, ok := rt.(*http.Transport); ok {
		return t.Protocols != nil && t.Protocols.UnencryptedHTTP2() && !t.Protocols.HTTP1()
	}
	return rt != nil && reflect.TypeOf(rt).String() == "*http2.Transport"
}
