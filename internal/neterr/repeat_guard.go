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

// ErrRepeated is the error of an attempt that a RepeatGuard ended.
var ErrRepeated = errors.New("insist: net/http would have sent the request again, although the server may have acted on it")

// RepeatGuard prevents net/http from resending, within an attempt, a request on which
// the server may have acted.
//
// On HTTP/1 net/http resends only a request that it considers idempotent. On HTTP/2 it
// resends any request that has no body or has GetBody: after REFUSED_STREAM and GOAWAY,
// which prove that the server did nothing, but also after PROTOCOL_ERROR, which proves
// nothing, and then without end (golang/go#52459). net/http doesn't report the reason, but
// after PROTOCOL_ERROR it uses another connection. So the guard ends the attempt if a
// request was written, got no response, and is about to be written to another connection.
// A GOAWAY for a request in flight looks the same, and also ends the attempt.
type RepeatGuard struct {
	stop  func()
	h2c   bool
	inner httptrace.ClientTrace // the hooks that were set before

	mu      sync.Mutex
	conn    net.Conn // of the latest try over HTTP/2
	written bool     // the latest try was written and has no response yet
	stopped bool
}

// NewRepeatGuard returns a guard that calls stop to end an attempt, before the request is
// written again. h2c means that connections without TLS speak HTTP/2.
func NewRepeatGuard(stop func(), h2c bool) *RepeatGuard {
	return &RepeatGuard{stop: stop, h2c: h2c}
}

// Spoil changes req so that HTTP/2 can't encode it: it returns an error and writes
// nothing. Call it only from a RepeatGuard's stop, and only if net/http's transport itself
// was given req, without a body: then net/http has made no copy of req. It calls GotConn on
// the goroutine that uses req next, so no other goroutine uses req at that time.
func Spoil(req *http.Request) { req.Trailer = http.Header{"Content-Length": nil} }

// Stopped reports whether the guard has ended the attempt. For a nil guard it is false.
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

// isSame reports whether a and b are the same connection. If a type can't be compared, it
// reports false.
func isSame(a, b net.Conn) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// isSameServer reports whether two connections have the same TLS server name, or don't use
// TLS. A layer below may send another request, to another server, with the same context,
// as a mirror does.
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
