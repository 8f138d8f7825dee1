package insist

import (
	"net/http"
)

// Resend says when a request that is not idempotent is retried although the server
// may have acted on it. It is the type of Policy.NonIdempotent. A value
// that is none of the constants counts as ResendUnlessLost.
type Resend int

const (
	// ResendUnlessLost, the default, retries it when the server responded that it
	// failed, or when it is proven that nothing of it was sent. When the response
	// was lost it is not retried.
	ResendUnlessLost Resend = iota

	// ResendOnlyUnsent retries it only when nothing of it was sent, or when
	// the server says that it did nothing: 408, 417, 425, 429, 521, 523, 529, and 413
	// or 503 with Retry-After. Choose it where doing a thing twice is worse than failing.
	ResendOnlyUnsent

	// ResendEvenIfLost retries it in any case: it may be carried out twice.
	// Choose it where the server recognizes repeated requests by itself.
	ResendEvenIfLost
)

// String returns the name without its prefix in snake case, such as "only_unsent".
func (r Resend) String() string {
	switch r {
	case ResendOnlyUnsent:
		return "only_unsent"
	case ResendEvenIfLost:
		return "even_if_lost"
	}
	return "unless_lost"
}

// IsIdempotent reports whether req may be repeated without harm, by its method (GET,
// HEAD, OPTIONS, TRACE, PUT, DELETE: RFC 9110, section 9.2.2), or because it has an
// Idempotency-Key or X-Idempotency-Key header, as in net/http. It is the default of
// Policy.Idempotent: call it from a rule of your own to add to it.
func IsIdempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace,
		http.MethodPut, http.MethodDelete:
		return true
	}
	return hasKey(req)
}

// hasKey reports whether req has an idempotency key. One without a value counts,
// as in net/http's Request.isReplayable.
func hasKey(req *http.Request) bool {
	_, key := req.Header["Idempotency-Key"]
	_, xKey := req.Header["X-Idempotency-Key"]
	return key || xKey
}

// didNothing reports whether the server says that it has not acted on the request:
// RFC 9110, sections 15.5.9 (408) and 15.5.18 (417), RFC 8470 (425), RFC 6585 (429).
// A 503 alone may come from a proxy that lost the response; one with Retry-After was
// written by a server that turned the request away, and so was a 413 with one.
// Cloudflare sends 521 and 523 where it could not connect to the origin (522 and 524
// may come after the request was sent). 529 is a 429 for the whole service.
func didNothing(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusExpectationFailed,
		http.StatusTooEarly, http.StatusTooManyRequests, 521, 523, 529:
		return true
	case http.StatusServiceUnavailable, http.StatusRequestEntityTooLarge:
		return len(resp.Header["Retry-After"]) > 0
	}
	return false
}
