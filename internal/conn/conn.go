// Package conn prevents the attempts of a call from using connections on which nothing
// arrives any more: a NAT table forgot them, a laptop slept, a node was drained. TCP
// reports such a failure only after minutes, and until then net/http keeps sending
// requests on these connections.
//
// What net/http does, in Go 1.26, and what this package does about it:
//
//   - HTTP/2: after a request timed out, its connection stays in the pool, so the next
//     attempt would use the same connection. The package marks it as not to be reused;
//     see [retire].
//   - HTTP/1: if a request times out, its connection is closed. But the next attempt may
//     get another idle connection that failed at the same time. If an idle connection
//     has not been used since the failure began, it is closed when the transport hands it
//     out, before anything is sent; see [Watch].
//
// If net/http's transport can't be found below the base, an attempt after a timeout on
// HTTP/2 sets Request.Close. The first such attempt still uses the same connection, and
// marks it. On HTTP/1 that adds a "Connection: close" header.
package conn

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/neterr"
)

// Guard records what a call knows about the connections of its attempts. Next, Marks and
// Refused do nothing for a nil Guard. Its methods may be called concurrently.
type Guard struct {
	mu       sync.Mutex
	first    Watch      // of the first attempt that has one
	watch    *Watch     // of the latest attempt, if it has one
	since    time.Time  // connections that have not been used after this time are refused
	mark     bool       // the next attempt sets Request.Close
	marks    bool       // the latest attempt set Request.Close
	timedOut []net.Conn // HTTP/2 connections on which an attempt timed out
	reported *Watch     // of the attempt for which TimedOut was last called
	retired  bool       // what TimedOut returned then
}

// Limits reports whether the base itself limits the time of an attempt. below is the
// base without its wrappers.
func Limits(below http.RoundTripper) bool {
	t, ok := below.(*http.Transport)
	return ok && t.ResponseHeaderTimeout > 0
}

// Next returns the Watch for the connections of the next attempt, whose base is below, or
// wraps it. For a nil Guard it returns nil.
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
	g.watch.onlyHTTP2 = g.watch.transport == nil && neterr.SpeaksH2C(below)
	g.watch.wrapped, g.watch.since = wrapped, g.since
	return g.watch
}

// Marks reports whether the attempt must set Request.Close.
func (g *Guard) Marks() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.marks
}

// Refused reports whether the Watch of the latest attempt refused the last connection that
// the attempt was given. If such an attempt failed, net/http could not resend the request
// on another connection, and nothing of it was sent.
func (g *Guard) Refused() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.watch != nil && g.watch.last().refused
}

// Lost records that the latest attempt has just lost its connection. From now on an idle
// HTTP/1 connection is refused, unless it has been used after this time.
func (g *Guard) Lost() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Now()
}

// TimedOut records that the latest attempt, which sent a request to u by below, has just
// timed out, and reports whether it retired an HTTP/2 connection. lasted is how long
// nothing arrived; zero means the base's ResponseHeaderTimeout. isHTTP2 means that the
// error's text names HTTP/2.
func (g *Guard) TimedOut(below http.RoundTripper, u *url.URL, lasted time.Duration, isHTTP2 bool) (retired bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reported != nil && g.reported == g.watch {
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
		g.mark = !g.marks // if the latest attempt set Request.Close, the connection is already marked
		return false
	}
	if c.conn != nil {
		g.timedOut = append(g.timedOut, c.conn)
	}
	for _, addr := range addrs(u, c.addr) {
		took, stuck := retire(t, addr, suspects{g.timedOut, g.since})
		retired, g.mark = retired || took, g.mark || stuck && !g.marks
	}
	g.reported, g.retired = g.watch, retired
	return retired
}

// addrs returns the addresses under which net/http may keep a connection for requests to
// u: the address of u and, if a wrapper changed the request's URL, the address for which a
// connection was requested.
func addrs(u *url.URL, asked string) (all []string) {
	if u != nil { // some bases accept a request without a URL
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
