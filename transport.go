package insist

import (
	"net/http"
	"sync"

	"github.com/hashicorp/go-cleanhttp"
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
// When no further attempt is made the caller gets the last response, its body
// whole, or the last error as the base returned it. Only where there is neither,
// RoundTrip returns an *Error.
//
// Of two RetryTransports that a request passes, the outer one is at work and the
// inner one stands aside. The outer finds the inner through WrappedRoundTripper,
// and then marks its first attempt, which costs a copy of the request (one
// allocation); attempts that it copies anyway are always marked. Behind a
// wrapper without that method up to M+N-1 attempts are made.
type RetryTransport struct {
	// Base makes the attempts.
	// If nil, a pooled transport that all such RetryTransports share.
	Base http.RoundTripper

	// Policy says when there is another attempt.
	// Zero means the defaults of the package documentation.
	Policy Policy
}

var sharedBase = sync.OnceValue(func() http.RoundTripper {
	return cleanhttp.DefaultPooledTransport()
})

// WrappedRoundTripper returns the RoundTripper that makes the attempts. By this
// name Kubernetes and others look through a wrapper.
func (t *RetryTransport) WrappedRoundTripper() http.RoundTripper {
	if t.Base == nil {
		return sharedBase()
	}
	return t.Base
}

// CloseIdleConnections closes the idle connections of the base, or of what that
// wraps, if it can. With a nil Base those are shared.
func (t *RetryTransport) CloseIdleConnections() {
	for rt := range unwrap(t.WrappedRoundTripper()) {
		if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
			return
		}
	}
}

// RoundTrip sends req, and sends it again as the Policy says.
func (t *RetryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	base, around := t.WrappedRoundTripper(), scopeOf(req.Context())
	policy := around.policy(&t.Policy)
	if policy.Disabled || req.URL == nil || req.Header == nil || around.covers(req) {
		return base.RoundTrip(req)
	}
	if around == nil && policy.isSimple(base, req) {
		return simpleTrip(base, policy, req)
	}
	c := call{base: base, policy: policy, around: around, req: req, caller: callerOf(req)}
	return c.run()
}
