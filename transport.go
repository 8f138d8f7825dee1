package insist

import "net/http"

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
		return start(base, policy, values, req, nil, notAsked)
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
