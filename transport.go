package insist

import (
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// RetryTransport is an [http.RoundTripper] that makes another attempt when one
// fails. Set it as the Transport of an http.Client, also of one that an SDK
// takes:
//
//	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}
//
// The zero value is ready for use. A RetryTransport is safe for concurrent use;
// its fields must not be changed while it is used.
//
// When no further attempt is made, the caller gets the last response with all of its
// body, or the last error as the base returned it. If there is neither, RoundTrip
// returns an *Error.
//
// If a request passes two RetryTransports, only the outer one retries. It finds the
// inner one through WrappedRoundTripper. Then it marks its first attempt, too, which
// costs a copy of the request (one allocation); attempts that are copied anyway are
// always marked. If a wrapper between them lacks that method, up to M+N-1 attempts are
// made, M and N being their MaxAttempts.
type RetryTransport struct {
	// Base makes the attempts.
	// If nil, a transport with the settings of DefaultBase, shared by all RetryTransports
	// whose Base is nil.
	Base http.RoundTripper

	// Policy says when there is another attempt.
	// Zero means the defaults of the package documentation.
	Policy Policy

	// PolicyFor chooses the policy of a request. Use it for other rules per method, host
	// or path, also inside an SDK. It is called once for each request, on the goroutine
	// that called RoundTrip, and must not change the request. The policy that it returns
	// is read until the call ends. Return a pointer to a policy that was made before: a
	// new one for each request would cost an allocation, and a Budget of its own, which
	// bounds nothing.
	// If nil, or if it returns nil, Policy applies.
	PolicyFor func(req *http.Request) *Policy
}

// WrappedRoundTripper returns the RoundTripper that makes the attempts. Kubernetes and
// others use a method of this name to look through a wrapper.
func (t *RetryTransport) WrappedRoundTripper() http.RoundTripper {
	if t.Base == nil {
		return sharedBase()
	}
	return t.Base
}

// CloseIdleConnections closes the idle connections of the base or, if the base has no
// such method, of the RoundTripper that it wraps. If Base is nil, these connections are
// shared with other RetryTransports.
func (t *RetryTransport) CloseIdleConnections() {
	for rt := range unwrap(t.WrappedRoundTripper()) {
		if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
			return
		}
	}
}

// RoundTrip sends req, and retries it as the Policy says.
func (t *RetryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	base, values, policy := t.WrappedRoundTripper(), contextValueOf(req.Context()), &t.Policy
	if values != nil || t.PolicyFor != nil {
		policy = t.policyFor(req, values)
	}
	if policy.Disabled || values != nil && values.isAttemptOf(req) {
		return base.RoundTrip(req)
	}
	if values != nil || !policy.isPlain() || wraps(base) {
		return start(base, policy, values, req, notAsked)
	}
	switch {
	case !isBodyless(req):
		return fastPathWithBody(base, policy, req)
	case len(req.Header) == 0 || keepsHead(base):
		return fastPath(base, policy, req, nil, nil)
	}
	return fastPathWithHeaders(base, policy, req)
}

// policyFor returns the request's policy. If an edit or PolicyFor panics, it closes the
// request's body.
func (t *RetryTransport) policyFor(req *http.Request, values *contextValue) *Policy {
	done := false
	defer func() {
		if !done && req.Body != nil {
			req.Body.Close()
		}
	}()
	policy := &t.Policy
	if t.PolicyFor != nil {
		if own := t.PolicyFor(req); own != nil {
			policy = own
		}
	}
	policy = values.policy(policy)
	done = true
	return policy
}

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
	var out *outgoing // of a guarded request
	if !idempotent {
		out = guardedAtOnce(base, p, req)
	}
	if waiter.Canceled() || !idempotent && out == nil {
		return start(base, p, nil, req, resultOf(idempotent))
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
			return resp, nil
		}
	}
	return goOn(base, p, req, &t, headers, body, out, &outcome{resp: resp, err: err, status: status})
}

// guardedAtOnce returns what is sent of a request that must not be sent again unless it is
// proven that nothing of it was sent: a copy, whose context has the hooks for that. It
// returns nil if the attempt needs more, and the loop has to make it.
func guardedAtOnce(base http.RoundTripper, p *Policy, req *http.Request) *outgoing {
	once, stops := preventsRepeats(base, p, req)
	if stops || p.NonIdempotent == ResendEvenIfLost || p.maxAttempts() == 1 || p.IdempotencyKey != nil ||
		conn.Limits(innermost(base)) {
		return nil
	}
	out := &outgoing{once: once, mark: contextValue{Context: req.Context()}}
	out.Number, out.mark.what = 1, out
	out.tracker.Track(false)
	out.Request = *req.WithContext(&out.mark)
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

// start runs a call from its first attempt on. It is a function of its own, as goOn is,
// so that the stack frame of the fast path stays small.
func start(base http.RoundTripper, p *Policy, values *contextValue, req *http.Request, idempotent ruleResult) (*http.Response, error) {
	c := call{base: base, policy: p, values: values, req: req, waiter: wait.ForRequest(req), idempotent: idempotent}
	return c.run(outcome{})
}

// goOn runs a call after its first attempt, whose outcome is o. t, headers and body are
// those of the caller's request. If it is guarded, out was sent; otherwise out is nil.
func goOn(base http.RoundTripper, p *Policy, req *http.Request, t *target, headers *givenHeaders, body *reqbody.Body, out *outgoing, o *outcome) (*http.Response, error) {
	c := call{base: base, policy: p, req: req, waiter: wait.ForRequest(req), idempotent: resultOf(out == nil)}
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
	if out != nil {
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

// fastPathWithBody is the fast path of a request whose body is in memory. Such a body is an
// io.NopCloser, so nobody has to close it if a rule or the base panics.
func fastPathWithBody(base http.RoundTripper, p *Policy, req *http.Request) (*http.Response, error) {
	var body reqbody.Body
	if !body.TakeMemory(req) {
		return start(base, p, nil, req, notAsked)
	}
	if len(req.Header) == 0 || keepsHead(base) {
		return fastPath(base, p, req, nil, &body)
	}
	var headers givenHeaders
	headers.take(req)
	return fastPath(base, p, req, &headers, &body)
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
