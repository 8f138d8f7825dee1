package insist

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// attempt is an attempt that is sent as a copy of the caller's request: one
// allocation holds the copy, the context's mark and the trace.
type attempt struct {
	request http.Request
	scope   scope
	trace   httptrace.ClientTrace
	source  source // of the body; nil if that is the caller's own, or none
	number  int32
	replays atomic.Int32  // of the body, by the base
	seen    atomic.Uint32 // what the trace has seen, over all of the base's own tries
}

// sent reports whether r is the attempt's request, or the copy of it by which
// net/http tracks its body, and which it forgets in responses over HTTP/2.
func (a *attempt) sent(r *http.Request) bool {
	return r != nil && r.URL == a.request.URL && r.Context() == a.request.Context()
}

// copy returns a request for attempt n that shares headers and URL with the
// caller's.
func (c *call) copy(n int) *attempt {
	a := &attempt{number: int32(c.teller.before + n)}
	a.scope = scope{Context: c.req.Context(), outer: c.around, attempt: a}
	ctx := context.Context(&a.scope)
	if c.policy.PerAttemptTimeout > 0 {
		c.limit = limitTime(ctx, c.policy.PerAttemptTimeout)
		ctx = c.limit.ctx
	}
	if c.traced {
		ctx = httptrace.WithClientTrace(ctx, a.watch(c.policy.PerAttemptTimeout > 0))
	}
	a.request = *c.req.WithContext(ctx)
	if c.policy.PerAttemptTimeout > 0 {
		// On HTTP/2 an attempt that is cut off may go on reading its headers.
		a.request.Header = a.request.Header.Clone()
	}
	return a
}

// adapt changes what is not to be sent as it was in the first attempt.
func (c *call) adapt(out *http.Request) {
	if c.policy.Prepare != nil {
		out.Header, out.URL = out.Header.Clone(), cloneURL(out.URL)
	}
	if c.last.resp != nil && expectationFailed(c.req, c.last.resp) {
		c.unexpected = true
	}
	if c.unexpected {
		out.Header = out.Header.Clone()
		out.Header.Del("Expect")
	}
}

func cloneURL(u *url.URL) *url.URL {
	c := *u // its User is immutable
	return &c
}
