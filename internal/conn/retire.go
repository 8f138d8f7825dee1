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

// suspects are connections of HTTP/2 that are not to be used again: those on which an
// attempt timed out, and those that have been idle for as long as that took. A
// foreign type of connection may be one that can't be compared: such a connection is
// none of the former.
type suspects struct {
	conns []net.Conn
	since time.Time
}

func (s suspects) has(info httptrace.GotConnInfo) bool {
	return unusedSince(s.since, info) || reflect.ValueOf(info.Conn).Comparable() &&
		slices.ContainsFunc(s.conns, func(c net.Conn) bool { return reflect.ValueOf(c).Comparable() && c == info.Conn })
}

// retire takes what suspects there are among the connections to addr, a "host:port",
// out of t's pool, as far as the pool hands them out. No later request is sent on
// them, streams that are open on them go on, and they are closed with the last of
// those. It reports whether it did so with any; stuck means that one is still handed
// out.
//
// net/http has no function for that. But for Request.Close it marks the connection
// that a request was given as not to be reused, and it does so before it encodes the
// headers. The headers of a probe can't be encoded, so that nothing is sent.
//
// A request that was given the connection an instant before, and has not begun on it,
// is sent on another one. If its body can be read only once, net/http can't: "cannot
// rewind body after connection loss", as when the server's GOAWAY comes just then.
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

// patience bounds a probe in time. It takes microseconds, unless a write to the
// connection is stuck.
const patience = 250 * time.Millisecond

// probe asks t's pool for a connection of HTTP/2 to addr. If that is a suspect, it is
// marked and returned.
//
// Nothing is sent, and nothing is dialed. net/http has the connections of HTTP/2,
// those without TLS among them, in one pool, and asks it first when the scheme is
// "https" (Transport.roundTrip: alternateRoundTripper). Only where that has none it
// checks the method, before it looks further: this one is none. The path and the
// trailer's name can't be encoded, which HTTP/2 finds out when it has marked the
// connection (clientStream.writeRequest).
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
		GotConn: func(info httptrace.GotConnInfo) { // before req.Close is looked at
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
