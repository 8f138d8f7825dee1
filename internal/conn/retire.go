package conn

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"slices"
	"sync/atomic"
	"time"
)

// suspects are HTTP/2 connections that must not be used again: those on which an attempt
// timed out (conns), and those that have been idle since before that attempt (since). A
// connection whose type can't be compared never matches conns.
type suspects struct {
	conns []net.Conn
	since time.Time
}

func (s suspects) has(info httptrace.GotConnInfo) bool {
	return unusedSince(s.since, info) || reflect.ValueOf(info.Conn).Comparable() &&
		slices.ContainsFunc(s.conns, func(c net.Conn) bool { return reflect.ValueOf(c).Comparable() && c == info.Conn })
}

// retire removes the suspects among the connections to addr, a "host:port", from t's pool,
// as far as the pool hands them out. No later request is sent on a retired connection. Its
// open streams continue, and it is closed with the last of them. retired reports whether
// any connection was retired; stuck means that the pool still hands out a suspect.
//
// net/http has no function for this. But if a request has Request.Close, net/http marks
// its connection as not to be reused, and it does so before it encodes the headers. The
// headers of a probe can't be encoded, so nothing is sent.
//
// If another request was given the connection just before, and has not started on it,
// net/http sends that request on another connection. It can't if that request's body can
// be read only once: the request then fails with "cannot rewind body after connection
// loss", as it would if the server's GOAWAY arrived at that moment.
func retire(t *http.Transport, addr string, s suspects) (retired, stuck bool) {
	var last net.Conn
	for range maxRetired {
		c := probe(t, addr, s)
		if last != nil && c == last {
			return retired, true
		}
		if retired = retired || last != nil; c == nil {
			break
		}
		last = c
	}
	return retired, false
}

// maxRetired bounds how many connections one attempt may retire.
const maxRetired = 100

// patience is the time limit of a probe. A probe takes microseconds, unless a write to the
// connection blocks.
const patience = 250 * time.Millisecond

// probe requests an HTTP/2 connection to addr from t's pool. If that connection is a
// suspect, probe marks and returns it; otherwise it returns nil.
//
// Nothing is sent, and nothing is dialed. net/http keeps all HTTP/2 connections, also
// those without TLS, in one pool. If the scheme is "https", it tries this pool first
// (Transport.roundTrip: alternateRoundTripper). If the pool has no connection, it checks
// the method next, and the probe's method is invalid. If it has one, HTTP/2 marks it
// before it finds that the path and the trailer's name can't be encoded
// (clientStream.writeRequest).
func probe(t *http.Transport, addr string, s suspects) net.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var found atomic.Pointer[net.Conn]
	req := &http.Request{
		Method:  "no method",
		URL:     &url.URL{Scheme: "https", Host: addr, Opaque: "no path"},
		Header:  http.Header{},
		Trailer: http.Header{"Content-Length": nil},
	}
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { // called before req.Close is read
			if req.Close = s.has(info); req.Close {
				found.Store(&info.Conn)
			} else {
				found.Store(nil)
			}
		},
	}))
	if resp, err := t.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
	if c := found.Load(); c != nil {
		return *c
	}
	return nil
}
