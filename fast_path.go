package insist

import (
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// isPlain reports whether an attempt that succeeds is handed over as it is: it is not
// timed, looked into, resumed, hedged, held back or reported.
func (p *Policy) isPlain() bool {
	return p.OnAttempt == nil && p.Classify == nil && p.RetryableBody == nil &&
		p.PerAttemptTimeout <= 0 && p.BodyIdleTimeout <= 0 && p.MaxElapsed <= 0 && p.MaxWholeBytes <= 0 &&
		!p.ResumeDownloads && p.RetryableEvent == nil && p.Hedge == nil && p.Cooldown.isQuiet()
}

// fastPath makes the first attempt without preparing for another one, since most calls
// need only one. If that attempt does not succeed, it hands the result to the loop. If
// headers is nil, the request has none, or base is known to leave them alone. If body is
// nil, the request has none.
func fastPath(base http.RoundTripper, p *Policy, req *http.Request, headers *givenHeaders, body *reqbody.Body) (*http.Response, error) {
	waiter, idempotent := wait.ForRequest(req), p.idempotent(req)
	streams, guarded := body != nil && body.IsStream(), p.guards(idempotent)
	if waiter.Canceled() || !idempotent && p.IdempotencyKey != nil {
		return start(base, p, nil, req, body, resultOf(idempotent))
	}
	var out *outgoing // what is sent, if it is not req itself
	if streams || guarded {
		if out = copyAtOnce(base, p, req, body, guarded); out == nil {
			return start(base, p, nil, req, body, resultOf(idempotent))
		}
	}
	var t target
	if !keepsHead(base) {
		t.take(req)
	}
	var resp *http.Response
	var err error
	if out == nil {
		resp, err = base.RoundTrip(req)
	} else {
		resp, err = out.sendAtOnce(base, req)
	}
	status := notAsked
	if err == nil && resp != nil && resp.StatusCode >= 200 && resp.StatusCode <= 299 && len(resp.Header["X-Should-Retry"]) == 0 {
		if status = no; p.RetryableStatus != nil { // the default rule never counts a 2xx as a failure
			status = p.askStatus(resp)
		}
		if status == no {
			if p.Budget != nil {
				p.Budget.deposit(p.hostKey(t.urlOf(req)), time.Now())
			}
			if streams {
				handOver(resp, body)
			}
			return resp, nil
		}
	}
	o := outcome{resp: resp, err: err, status: status, idempotent: idempotent}
	return goOn(base, p, req, &t, headers, body, out, &o)
}

// copyAtOnce returns what is sent in place of req: a copy, because req is guarded, so that
// its context has the hooks which prove that nothing was sent, or because its body is a
// stream. It returns nil if the attempt needs more than that, and the loop has to make it.
func copyAtOnce(base http.RoundTripper, p *Policy, req *http.Request, body *reqbody.Body, guarded bool) *outgoing {
	once, stops := false, false
	if guarded {
		once, stops = preventsRepeats(base, p, req)
	}
	if stops || p.maxAttempts() == 1 || conn.Limits(innermost(base)) {
		return nil
	}
	out := &outgoing{once: once, mark: contextValue{Context: req.Context()}}
	out.Number, out.mark.what = 1, out
	if guarded {
		out.tracker.Track(false)
	}
	out.Request = *req.WithContext(&out.mark)
	if body != nil {
		body.Once = once
		if err := body.Fill(&out.Lease); err != nil {
			return nil // the loop meets it again
		}
	}
	if once {
		sendOnce(&out.Request)
	}
	return out
}

// sendAtOnce has the base make the first attempt of req.
func (out *outgoing) sendAtOnce(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := out.send(base, req.Context())
	if resp != nil {
		out.absoluteLocation(resp, req)
		out.show(resp, req)
	}
	return resp, err
}

// handOver tells body, a stream, that resp is the caller's, and no further attempt follows.
// If the Close of the caller's body panics, it closes resp, as cleanUp does.
func handOver(resp *http.Response, body *reqbody.Body) {
	done := false
	defer func() {
		if !done && resp.Body != nil {
			defer resp.Body.Close()
			body.End()
		}
	}()
	if end := body.Keep(); end != nil {
		reqbody.EndWith(resp, end)
	}
	done = true
}

// start runs a call from its first attempt on. It is a function of its own, as goOn is,
// so that the stack frame of the fast path stays small. body is nil if it has not been
// taken yet.
func start(base http.RoundTripper, p *Policy, values *contextValue, req *http.Request, body *reqbody.Body, idempotent ruleResult) (*http.Response, error) {
	c := call{base: base, policy: p, values: values, req: req, waiter: wait.ForRequest(req), idempotent: idempotent}
	if body != nil {
		c.body = *body
	}
	return c.run(outcome{})
}

// goOn runs a call after its first attempt, whose outcome is o. t, headers and body are
// those of the caller's request. If a copy of it was sent, that is out; otherwise out is
// nil.
func goOn(base http.RoundTripper, p *Policy, req *http.Request, t *target, headers *givenHeaders, body *reqbody.Body, out *outgoing, o *outcome) (*http.Response, error) {
	c := call{base: base, policy: p, req: req, waiter: wait.ForRequest(req), idempotent: resultOf(o.idempotent)}
	if !keepsHead(base) {
		c.given.taken, c.given.target = true, *t
		if headers != nil {
			c.given.headers = *headers
		}
	}
	if body != nil {
		c.body = *body
	}
	var tracker *neterr.Tracker
	if c.guarded() {
		c.traced, c.body.Once, tracker = true, out.once, &out.tracker
	}
	c.note(1, tracker, o.resp, o.err)
	c.last.status = o.status
	return c.run(c.last)
}

// fastPathWithHeaders is a function of its own since clearing the memory for the headers
// takes as long as the rest of the fast path.
func fastPathWithHeaders(base http.RoundTripper, p *Policy, req *http.Request) (*http.Response, error) {
	var headers givenHeaders
	headers.take(req)
	return fastPath(base, p, req, &headers, nil)
}

// fastPathWithBody is the fast path of a request with a body. One in memory is an
// io.NopCloser, so nobody has to close it if a rule or the base panics. Of any other body
// a single attempt sends the caller's own. If RetryableStatus panics, the loop ends that
// body before it closes the response: HTTP/2 waits for a Read of it.
func fastPathWithBody(base http.RoundTripper, p *Policy, req *http.Request) (*http.Response, error) {
	var body reqbody.Body
	switch {
	case body.TakeMemory(req):
	case p.maxAttempts() == 1 || p.RetryableStatus != nil:
		return start(base, p, nil, req, nil, notAsked)
	default:
		return fastPathWithStream(base, p, req)
	}
	if len(req.Header) == 0 || keepsHead(base) {
		return fastPath(base, p, req, nil, &body)
	}
	var headers givenHeaders
	headers.take(req)
	return fastPath(base, p, req, &headers, &body)
}

// fastPathWithStream is the fast path of a request whose body is not in memory. If a rule,
// the base or the body panics, it closes the body.
func fastPathWithStream(base http.RoundTripper, p *Policy, req *http.Request) (*http.Response, error) {
	var body reqbody.Body
	done := false
	defer func() {
		switch {
		case done:
		case body.IsStream():
			body.End()
		default:
			req.Body.Close()
		}
	}()
	body.TakeStream(req, p.maxReplayBytes())
	var headers givenHeaders
	if !keepsHead(base) {
		headers.take(req)
	}
	resp, err := fastPath(base, p, req, &headers, &body)
	done = true
	return resp, err
}

// askStatus asks RetryableStatus about resp. If that panics, it closes resp.
func (p *Policy) askStatus(resp *http.Response) ruleResult {
	done := false
	defer func() {
		if !done && resp.Body != nil {
			resp.Body.Close()
		}
	}()
	failed := p.RetryableStatus(resp.StatusCode)
	done = true
	return resultOf(failed)
}
