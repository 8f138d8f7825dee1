package insist

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// outgoing is an attempt that is sent as a copy of the caller's request. One
// allocation holds the copy, the mark in its context, and the tracker.
type outgoing struct {
	reqbody.Lease
	mark     contextValue
	tracker  neterr.Tracker
	inFlight atomic.Bool // the base's RoundTrip has begun, and has not returned
	own      bool        // its headers and URL are not the caller's
}

// obstacle is why an attempt could not be built: it ends the call.
type obstacle struct {
	why   Reason
	cause error
}

// outgoing builds attempt n.
func (c *call) outgoing(n int) (*outgoing, *obstacle) {
	out := c.copy(n)
	if n > 1 {
		c.adapt(out)
	}
	if err := c.body.Fill(&out.Lease); err != nil {
		return nil, &obstacle{ReasonBody, err}
	}
	if n > 1 && c.policy.Prepare != nil {
		if err := c.policy.Prepare(&out.Request, c.lastHead(), c.last.err); err != nil {
			return nil, &obstacle{ReasonError, err}
		}
		if c.waiter.Canceled() { // it may have taken long
			return nil, &obstacle{ReasonContext, nil}
		}
	}
	if n > 1 && c.policy.isTooLate(c.begun) { // and so may the other hooks, or GetBody
		return nil, &obstacle{ReasonWait, nil}
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
	if c.cancelable || c.racing {
		c.limit = wait.NewLimit(ctx, c.policy.PerAttemptTimeout)
		ctx = c.limit.Context()
	}
	if c.traced {
		out.tracker.Track(timed) // out.mark has its hooks
	}
	watch := c.watch()
	if c.stopsRepeats {
		c.repeats = neterr.NewRepeatGuard(c.stopper(out), mayUseH2C(c.base))
	}
	if c.stopsRepeats || watch != nil {
		out.tracker.Trace(c.req.Context(), func(trace *httptrace.ClientTrace) {
			c.repeats.Hook(trace)
			watch.Hook(trace)
		})
	}
	out.Request = *c.req.WithContext(ctx)
	out.Request.Close = out.Request.Close || c.conns.Marks()
	if n > 1 {
		out.own = c.given.restore(&out.Request)
	}
	if c.racing && out.Request.URL != nil {
		out.Request.URL = cloneURL(out.Request.URL) // an attempt that is overtaken may go on reading it
	}
	cutOff := timed || c.racing || c.stopsRepeats && c.limit.IsSet()
	if (cutOff || c.key != "") && !out.own {
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
	if ours || reqbody.Same(shown.Body, out.Request.Body) {
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
func repeatedBelow(req *http.Request) bool { return isSafe(req) || hasKey(req) }

func isSafe(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// preventRepeats finds out how to keep the base from repeating a guarded request by
// itself: by the form in which it is sent (see sendOnce) or, where that is not enough,
// by ending the attempt (see neterr.RepeatGuard). HTTP/2 repeats whatever has no body, or a
// GetBody. That can be left out of what net/http's transport is given, but not of what
// goes through other layers first, such as a signer.
func (c *call) preventRepeats() {
	_, direct := c.base.(*http.Transport)
	http2 := c.req.URL != nil && (c.req.URL.Scheme == "https" || mayUseH2C(c.base))
	if isBodyless(c.req) {
		c.body.Once = repeatedBelow(c.req)
		c.stopsRepeats = http2 && !canHaveEmptyBody(c.req)
	} else {
		c.body.Once = c.req.GetBody == nil || repeatedBelow(c.req) || http2 && direct
		c.stopsRepeats = http2 && !c.body.Once
	}
	// Without a layer between, the request itself is spoiled; see stopper.
	c.cancelable = c.cancelable || c.stopsRepeats && !direct
}

// stopper returns what ends the attempt before it is written once more.
func (c *call) stopper(out *outgoing) func() {
	if cancel := c.limit.Cancel(); cancel != nil {
		return func() { cancel(neterr.ErrRepeated) }
	}
	return func() { neterr.Spoil(&out.Request) }
}

func isBodyless(req *http.Request) bool { return req.Body == nil || req.Body == http.NoBody }

// canHaveEmptyBody reports whether req may be given an empty body in place of none. With
// one HTTP/1 sends a request of these methods as without; HTTP/2 sends an empty frame.
// Other methods would be sent as chunked, and a TRACE may have no body.
func canHaveEmptyBody(req *http.Request) bool { return isSafe(req) && req.Method != http.MethodTrace }

// mayUseH2C reports whether base is known to speak HTTP/2 without TLS.
func mayUseH2C(base http.RoundTripper) bool { return neterr.SpeaksH2C(innermost(base)) }

// sendOnce changes req, an attempt's own, so that net/http does not repeat it by
// itself: a body without GetBody, be it empty, is not sent again. Where the body can't be
// that, an idempotency key is spelled in a way that net/http does not look for.
func sendOnce(req *http.Request) {
	req.GetBody = nil
	switch {
	case !isBodyless(req) || !repeatedBelow(req):
		return
	case canHaveEmptyBody(req):
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
