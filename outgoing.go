package insist

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// outgoing is an attempt that is sent as a copy of the caller's request. One
// allocation holds the copy, the mark in its context, and the tracker.
type outgoing struct {
	reqbody.Lease
	mark    contextValue
	tracker neterr.Tracker
	ended   atomic.Bool // RoundTrip has returned
	own     bool        // its headers and URL are not the caller's
}

// outgoing builds attempt n. A non-nil error is the call's.
func (c *call) outgoing(n int) (*outgoing, error) {
	out := c.copy(n)
	if n > 1 {
		c.adapt(out)
	}
	if err := c.body.Fill(&out.Lease); err != nil {
		return nil, c.fail(ReasonBody, err)
	}
	if n > 1 && c.policy.Prepare != nil {
		if err := c.policy.Prepare(&out.Request, c.lastHead(), c.last.err); err != nil {
			return nil, c.fail(ReasonError, err)
		}
		switch { // it may have taken long
		case c.waiter.Canceled():
			return nil, c.fail(ReasonContext, nil)
		case c.policy.MaxElapsed > 0 && time.Since(c.begun) > c.policy.MaxElapsed:
			return nil, c.fail(ReasonWait, nil)
		}
	}
	if c.body.Once {
		sendOnce(&out.Request)
	}
	return out, nil
}

// copy returns a request for attempt n that shares headers and URL with the
// caller's.
func (c *call) copy(n int) *outgoing {
	out := new(outgoing)
	out.Number = int32(c.reporter.before + n)
	out.mark = contextValue{Context: c.req.Context(), outer: c.values, what: out}
	ctx, timed := context.Context(&out.mark), c.policy.PerAttemptTimeout > 0
	if c.cancelable {
		c.limit = wait.NewLimit(ctx, c.policy.PerAttemptTimeout)
		ctx = c.limit.Context()
	}
	if c.traced {
		out.tracker.Track(timed) // out.mark has its hooks
	}
	if watch := c.watch(); watch != nil {
		out.tracker.Trace(c.req.Context(), watch.Hook)
	}
	out.Request = *c.req.WithContext(ctx)
	out.Request.Close = out.Request.Close || c.conns.Marks()
	if n > 1 {
		out.own = c.given.restore(&out.Request)
	}
	if (timed || c.key != "") && !out.own {
		// On HTTP/2 an attempt that is cut off may go on reading its headers.
		out.cloneHeader()
	}
	if c.key != "" {
		out.Request.Header.Set("Idempotency-Key", c.key)
	}
	return out
}

// cloneHeader gives the attempt headers of its own.
func (out *outgoing) cloneHeader() {
	if out.own = true; out.Request.Header == nil {
		out.Request.Header = make(http.Header)
		return
	}
	out.Request.Header = out.Request.Header.Clone()
}

// adapt changes what is not to be sent as it was in the first attempt.
func (c *call) adapt(out *outgoing) {
	if c.last.resp != nil && expectationFailed(c.req, c.last.resp) {
		c.unexpected = true
	}
	prepares := c.policy.Prepare != nil
	if !out.own && (prepares || c.unexpected) {
		out.cloneHeader()
	}
	if prepares && out.Request.URL != nil {
		out.Request.URL = cloneURL(out.Request.URL)
	}
	if c.unexpected {
		out.Request.Header.Del("Expect")
	}
}

// lastHead returns the head of the last attempt's response, which has been discarded.
func (c *call) lastHead() *http.Response {
	if c.last.resp == nil {
		return nil
	}
	head := *c.last.resp
	head.Body = http.NoBody
	return &head
}

// shown returns what resp.Request is to be, r being what the base has set: the request
// that was sent last, under the caller's own context.
func (c *call) shown(out *outgoing, r *http.Request) *http.Request {
	if r == nil {
		return nil
	}
	ours := out.isRequest(r)
	switch {
	case ours && (!out.own && r.URL == c.req.URL || isSameHead(r, c.req)):
		return c.req // as without us; and the copy can be freed
	case !ours && !contextValueOf(r.Context()).isIn(out):
		return r // of the base's own making
	}
	shown := r.WithContext(c.req.Context())
	if ours || shown.Body == out.Request.Body {
		shown.Body = c.req.Body
	}
	shown.GetBody = c.req.GetBody
	return shown
}

// isRequest reports whether r is the attempt's request, or the copy of it by which
// net/http tracks its body, and which it leaves in responses over HTTP/2.
func (out *outgoing) isRequest(r *http.Request) bool {
	return r.URL == out.Request.URL && r.Context() == out.Request.Context()
}

// isSameHead reports whether a and b differ in their bodies and contexts at most.
func isSameHead(a, b *http.Request) bool {
	return a.Method == b.Method && a.Host == b.Host && isSameURL(a.URL, b.URL) &&
		maps.EqualFunc(a.Header, b.Header, slices.Equal)
}

func isSameURL(a, b *url.URL) bool { return a == b || a != nil && b != nil && *a == *b }

// absoluteLocation has a redirect start from the URL that out was sent to. http.Client
// would start from the caller's, which Prepare may have changed.
func (c *call) absoluteLocation(out *outgoing, resp *http.Response) {
	if resp.StatusCode < 300 || resp.StatusCode > 399 || isSameURL(out.Request.URL, c.req.URL) || out.Request.URL == nil {
		return
	}
	if to := resp.Header.Get("Location"); to != "" {
		if u, err := out.Request.URL.Parse(to); err == nil {
			resp.Header.Set("Location", u.String())
		}
	}
}

func cloneURL(u *url.URL) *url.URL {
	c := *u // its User is immutable
	return &c
}

// addKey has the call's attempts carry the key that Policy.IdempotencyKey gives, which
// makes the request idempotent.
func (c *call) addKey() {
	if c.policy.IdempotencyKey == nil || c.idempotent == yes || hasKey(c.req) {
		return
	}
	if c.key = c.policy.IdempotencyKey(c.req); c.key != "" {
		c.idempotent = yes
	}
}

// repeatedBelow reports whether net/http counts req as idempotent. Then it repeats
// it by itself when a kept connection is closed before a response, unless there is a
// body without GetBody (Request.isReplayable). That must not happen to a GET that
// Policy.Idempotent says is not.
func repeatedBelow(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return hasKey(req)
}

// sendOnce changes req, an attempt's own, so that net/http does not repeat it by
// itself. With an empty body of these methods HTTP/1 sends none; HTTP/2 sends it,
// after the headers. Other methods would get a chunked one, so that their key is
// spelled in a way that net/http does not look for. A TRACE may have no body.
func sendOnce(req *http.Request) {
	if req.GetBody = nil; !repeatedBelow(req) || req.Body != nil && req.Body != http.NoBody {
		return
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		req.Body = io.NopCloser(strings.NewReader(""))
		return
	}
	req.Header = req.Header.Clone()
	for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := req.Header[key]; ok {
			delete(req.Header, key)
			req.Header[strings.ToLower(key)] = values
		}
	}
}
