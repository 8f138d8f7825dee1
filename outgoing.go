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
	inFlight atomic.Bool // the base's RoundTrip has begun and has not returned
	own      bool        // its headers are a copy, not the caller's map
	once     bool        // net/http is kept from repeating it by its form, see sendOnce
	single   bool        // it is the call's only attempt, so a RetryTransport below may retry
}

// obstacle is the reason why an attempt could not be built. It ends the call.
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
	if o := c.prepareRetry(out, n); o != nil {
		c.body.RevokeLease(&out.Lease)
		return nil, o
	}
	if c.body.Once {
		sendOnce(&out.Request)
	}
	return out, nil
}

// prepareRetry calls Policy.Prepare for attempt n, if it is not the first.
func (c *call) prepareRetry(out *outgoing, n int) *obstacle {
	if n > 1 && c.policy.Prepare != nil {
		if err := c.policy.Prepare(&out.Request, c.lastHead(), c.last.err); err != nil {
			return &obstacle{ReasonError, err}
		}
		if c.waiter.Canceled() { // while Prepare ran
			return &obstacle{ReasonContext, nil}
		}
	}
	if n > 1 && c.policy.isTooLate(c.begun) { // Prepare, another hook or GetBody may have taken long
		return &obstacle{ReasonWait, nil}
	}
	return nil
}

// copy returns a request for attempt n that shares headers and URL with the
// caller's.
func (c *call) copy(n int) *outgoing {
	var out *outgoing
	racing := c.runner != nil
	if racing {
		out = &c.runner.outgoing
	} else {
		out = new(outgoing)
	}
	out.Number = int32(c.reporter.before + n)
	out.mark = contextValue{Context: c.req.Context(), outer: c.values, what: out}
	out.single = c.policy.maxAttempts() == 1
	ctx, timed := context.Context(&out.mark), c.policy.PerAttemptTimeout > 0
	if c.cancelable || racing {
		c.limit = wait.NewLimit(ctx, c.policy.PerAttemptTimeout)
		ctx = c.limit.Context()
	}
	if c.traced {
		out.tracker.Track(timed) // net/http finds its hooks through out.mark
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
	if racing && out.Request.URL != nil {
		c.runner.url = *out.Request.URL
		out.Request.URL = &c.runner.url
	}
	// On HTTP/2, an attempt that is cut off may still read its headers after the call has
	// returned, when the caller may change them.
	cutOff := timed || racing || c.stopsRepeats && c.limit.IsSet()
	if (cutOff || c.key != "") && !out.own {
		out.cloneHeader()
	}
	if cutOff {
		out.Request.Trailer = out.Request.Trailer.Clone()
	}
	if c.key != "" {
		out.Request.Header.Set("Idempotency-Key", c.key)
	}
	return out
}

// cloneHeader gives the attempt its own copy of the headers.
func (out *outgoing) cloneHeader() {
	if out.own = true; out.Request.Header == nil {
		out.Request.Header = make(http.Header)
		return
	}
	out.Request.Header = out.Request.Header.Clone()
}

// adapt prepares a further attempt for what differs from the first: no Expect header
// after a 417, and headers and URL that Prepare may change.
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

// send has the base send the request. caller is the context of the whole call.
func (out *outgoing) send(base http.RoundTripper, caller context.Context) (*http.Response, error) {
	out.inFlight.Store(true)
	defer out.inFlight.Store(false)
	return out.Send(base, caller)
}

// show sets resp.Request to what the caller, whose request is req, is to see of the
// attempt. It does not set it needlessly: a fake may return one response to many calls.
func (out *outgoing) show(resp *http.Response, req *http.Request) {
	if r := out.shown(resp.Request, req); r != resp.Request {
		resp.Request = r
	}
}

// shown returns the value for resp.Request, r being what the base has set: the request
// that was sent last, with the caller's own context.
func (out *outgoing) shown(r, caller *http.Request) *http.Request {
	if r == nil {
		return nil
	}
	ours := out.isRequest(r)
	switch {
	case ours && (!out.own && r.URL == caller.URL || isSameHead(r, caller)):
		return caller // as without a RetryTransport; and the copy can be freed
	case !ours && !contextValueOf(r.Context()).isIn(out):
		return r // the base made it itself
	}
	shown := r.WithContext(caller.Context())
	if ours || reqbody.Same(shown.Body, out.Request.Body) {
		shown.Body = caller.Body
	}
	shown.GetBody = caller.GetBody
	return shown
}

// isRequest reports whether r is the attempt's request, or the copy that net/http makes
// of it to track its body. Over HTTP/2, resp.Request is that copy.
func (out *outgoing) isRequest(r *http.Request) bool {
	return r.URL == out.Request.URL && r.Context() == out.Request.Context()
}

// isSameHead reports whether a and b have the same method, host, URL and headers.
func isSameHead(a, b *http.Request) bool {
	return a.Method == b.Method && a.Host == b.Host && isSameURL(a.URL, b.URL) &&
		maps.EqualFunc(a.Header, b.Header, slices.Equal)
}

func isSameURL(a, b *url.URL) bool { return a == b || a != nil && b != nil && *a == *b }

// absoluteLocation makes a relative redirect absolute if Prepare or the base changed the
// URL: http.Client would resolve it against the caller's URL, not the one out was sent to.
func (out *outgoing) absoluteLocation(resp *http.Response, caller *http.Request) {
	if resp.StatusCode < 300 || resp.StatusCode > 399 || isSameURL(out.Request.URL, caller.URL) || out.Request.URL == nil {
		return
	}
	if to := resp.Header.Get("Location"); to != "" {
		if u, err := out.Request.URL.Parse(to); err == nil {
			resp.Header.Set("Location", u.String())
		}
	}
}

// addKey asks Policy.IdempotencyKey for a key. If it returns one, all attempts carry it,
// and the request counts as idempotent.
func (c *call) addKey() {
	if c.policy.IdempotencyKey == nil || c.idempotent == yes || hasKey(c.req) {
		return
	}
	if c.key = c.policy.IdempotencyKey(c.req); c.key != "" {
		c.idempotent = yes
	}
}

// repeatedBelow reports whether net/http counts req as idempotent. If it does, net/http
// sends req again by itself when a kept connection is closed before the response,
// unless req has a body without GetBody (Request.isReplayable). A GET for which
// Policy.Idempotent reports false must not be repeated so.
func repeatedBelow(req *http.Request) bool { return isSafe(req) || hasKey(req) }

func isSafe(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// preventRepeats decides how the base is kept from repeating a guarded request, that is,
// from sending it again by itself, within an attempt. With a layer between, or with a
// body, the attempt is ended by its context; without them, by a change to the request
// itself, see stopper.
func (c *call) preventRepeats() {
	c.body.Once, c.stopsRepeats = preventsRepeats(c.base, c.policy, c.req)
	_, direct := c.base.(*http.Transport)
	c.cancelable = c.cancelable || c.stopsRepeats && (!direct || !isBodyless(c.req))
}

// preventsRepeats says how net/http is kept from repeating req, a guarded request. Either
// req is sent in a form that net/http does not repeat (see sendOnce), or, if there is
// none, the attempt is ended before the repetition (see neterr.RepeatGuard). On HTTP/2,
// net/http repeats a request that has no body, or has a GetBody. If the base is net/http's
// transport, GetBody can be removed; a layer between, such as a signer, may need it.
func preventsRepeats(base http.RoundTripper, p *Policy, req *http.Request) (once, stops bool) {
	_, direct := base.(*http.Transport)
	http2 := req.URL != nil && (req.URL.Scheme == "https" || mayUseH2C(base))
	if isBodyless(req) {
		return repeatedBelow(req), http2 && !canHaveEmptyBody(req)
	}
	// Without GetBody, net/http does not send the body again on another connection if
	// nothing of it was written to a dead one. Then it takes another attempt.
	another := p.maxAttempts() > 1
	once = req.GetBody == nil || repeatedBelow(req) || http2 && direct && another
	return once, http2 && !once
}

// stopper returns the function that ends the attempt before net/http sends it again.
func (c *call) stopper(out *outgoing) func() {
	if cancel := c.limit.Cancel(); cancel != nil {
		return func() { cancel(neterr.ErrRepeated) }
	}
	return func() { neterr.Spoil(&out.Request) }
}

func isBodyless(req *http.Request) bool { return req.Body == nil || req.Body == http.NoBody }

// canHaveEmptyBody reports whether req may be given an empty body in place of none. For
// these methods HTTP/1 then sends the same bytes as without a body, and HTTP/2 adds an
// empty frame. With other methods HTTP/1 would send it as chunked; a TRACE must have no
// body.
func canHaveEmptyBody(req *http.Request) bool { return isSafe(req) && req.Method != http.MethodTrace }

// mayUseH2C reports whether base is known to speak HTTP/2 without TLS.
func mayUseH2C(base http.RoundTripper) bool { return neterr.SpeaksH2C(innermost(base)) }

// sendOnce changes req, an attempt's own, so that net/http does not repeat it by itself.
// A request with a body but without GetBody is not repeated, even if the body is empty.
// If req can't have such a body, its idempotency key is spelled in lower case, which
// net/http does not recognize.
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
