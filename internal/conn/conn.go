// Package conn keeps the attempts of a call off connections on which nothing arrives
// any more: a NAT table forgot them, a laptop slept, a node was drained. TCP says
// nothing for minutes, and net/http sends request after request down them.
//
// What net/http does, in Go 1.26, and what is done about it:
//
//   - HTTP/2: a connection stays in the pool after requests on it timed out, so each
//     attempt would be followed by one on the same connection. It is marked as not to
//     be reused; see [retire].
//   - HTTP/1: a connection is closed when a request on it times out. But the next
//     attempt takes another one that was kept, which may have died with it. Kept ones
//     that have not been used since are closed when they are handed out, before
//     anything is sent; see [Watch].
//
// Where net/http's transport can't be found below the base, attempts on HTTP/2 set
// Request.Close after a timeout. The first of them still goes down the same
// connection, and marks it. On HTTP/1 that costs a "Connection: close".
package conn

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Guard is what a call knows about the connections of its attempts. A nil Guard knows
// of none. Its methods may be called concurrently.
type Guard struct {
	mu       sync.Mutex
	first    Watch      // of the first attempt that has one
	watch    *Watch     // of the last attempt, if it has one
	since    time.Time  // what has not been used after that is not to be
	mark     bool       // the next attempt sets Request.Close
	marks    bool       // the last attempt did
	timedOut []net.Conn // of HTTP/2
	told     *Watch     // whose attempt is known to have timed out,
	retired  bool       // and whether that took its connection out of use
}

// Limits reports whether the base itself limits the time of an attempt. below is the
// base without its wrappers.
func Limits(below http.RoundTripper) bool {
	t, ok := below.(*http.Transport)
	return ok && t.ResponseHeaderTimeout > 0
}

// Next returns what watches over the connections of the next attempt, whose base is
// below, or wraps that. A nil Guard has nothing that does.
func (g *Guard) Next(below http.RoundTripper, wrapped bool) *Watch {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marks, g.mark = g.mark, false
	if g.watch == nil {
		g.watch = &g.first
	} else {
		g.watch = new(Watch)
	}
	g.watch.transport, _ = below.(*http.Transport)
	g.watch.wrapped, g.watch.since = wrapped, g.since
	return g.watch
}

// Marks reports whether the attempt is to set Request.Close.
func (g *Guard) Marks() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.marks
}

// Refused reports whether the last attempt failed because its Watch refused the
// connection that it was given, and net/http could not repeat the request on another
// one: nothing of it was sent.
func (g *Guard) Refused() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.watch != nil && g.watch.last().refused
}

// Lost notes that the last attempt has just lost its connection. From now on kept
// connections of HTTP/1 are refused, unless they are used after this.
func (g *Guard) Lost() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Now()
}

// TimedOut notes that the last attempt, which sent a request to u by below, has just
// timed out, and reports whether that took a connection of HTTP/2 out of use. lasted
// is how long nothing came; zero means what the base allows. isHTTP2 means that the
// error names the protocol.
func (g *Guard) TimedOut(below http.RoundTripper, u *url.URL, lasted time.Duration, isHTTP2 bool) (retired bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.told != nil && g.told == g.watch {
		return g.retired
	}
	t, known := below.(*http.Transport)
	if known && lasted == 0 {
		lasted = t.ResponseHeaderTimeout
	}
	g.since = time.Now().Add(-lasted)
	var c given
	if g.watch != nil {
		c = g.watch.last()
	}
	if c.conn != nil {
		isHTTP2 = c.protocol(t) != http1
	}
	if _, single := below.(*http.ClientConn); !isHTTP2 || single { // a ClientConn has no other connection
		return false
	}
	if !known {
		g.mark = !g.marks // else it has been marked
		return false
	}
	if c.conn != nil {
		g.timedOut = append(g.timedOut, c.conn)
	}
	for _, addr := range addrs(u, c.addr) {
		took, stuck := retire(t, addr, suspects{g.timedOut, g.since})
		retired, g.mark = retired || took, g.mark || stuck && !g.marks
	}
	g.told, g.retired = g.watch, retired
	return retired
}

// addrs returns the addresses under which net/http may have a connection that sends
// requests to u: u's own, or, where a wrapper changed the request's, the one that was
// asked for.
func addrs(u *url.URL, asked string) (all []string) {
	if u != nil { // a base may do without
		port := "443"
		if u.Scheme == "http" {
			port = "80"
		}
		all = append(all, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	}
	if asked != "" && !slices.Contains(all, asked) {
		all = append(all, asked)
	}
	return all
}
