package head

import "net/http"

// Obstacle names in one word why a body can't be resumed, or why a response does not
// continue it. If empty, there is no obstacle.
type Obstacle string

// The obstacles.
const (
	Method        Obstacle = "method"            // the request is not a GET, or has a body
	NotIdempotent Obstacle = "not_idempotent"    // the caller's rule says that the request is not idempotent
	Status        Obstacle = "status"            // the status is neither 200 nor 206
	Compressed    Obstacle = "compressed"        // a range counts compressed bytes, the caller gets decompressed ones
	Trailers      Obstacle = "trailers"          // a partial response has no trailers, or different ones
	Redirect      Obstacle = "redirect"          // the base followed a redirect to another resource
	NoRanges      Obstacle = "no_ranges"         // Accept-Ranges doesn't allow bytes
	NoValidator   Obstacle = "no_validator"      // nothing identifies the version
	WeakValidator Obstacle = "weak_validator"    // only a weak validator identifies the version
	BadRange      Obstacle = "bad_content_range" // Content-Range is missing, malformed, or not the requested one
	Changed       Obstacle = "changed"           // the validator belongs to another version
	RangeIgnored  Obstacle = "range_ignored"     // too many bytes would have to be read again
)

// Resumable returns the range of bytes that resp's body is, and the validator that
// identifies its version. If the body can't be resumed, it returns why not. custom is
// passed to ValidatorOf.
func Resumable(req *http.Request, resp *http.Response, custom func(http.Header) string) (Range, Validator, Obstacle) {
	if req.Method != "" && req.Method != http.MethodGet || req.Body != nil && req.Body != http.NoBody {
		return Range{}, Validator{}, Method
	}
	r, why := rangeOf(resp)
	switch {
	case why != "":
	case len(resp.Trailer) > 0:
		why = Trailers
	case isRedirected(req, resp):
		why = Redirect
	case resp.StatusCode == http.StatusOK && len(resp.Header["Accept-Ranges"]) > 0 && !AcceptsRanges(resp.Header):
		why = NoRanges
	}
	if why != "" {
		return Range{}, Validator{}, why
	}
	v, why := ValidatorOf(resp.Header, custom)
	return r, v, why
}

// Continues returns the range of bytes that resp's body is, if it belongs to the version
// that v identifies; otherwise it returns why not. resp is the response to a request for a
// range; req is the first request.
func Continues(req *http.Request, resp *http.Response, v Validator) (Range, Obstacle) {
	r, why := rangeOf(resp)
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed:
		return Range{}, Changed
	case why != "":
		return Range{}, why
	case isRedirected(req, resp):
		return Range{}, Redirect
	case !v.Matches(resp.Header):
		return Range{}, Changed
	}
	return r, ""
}

// rangeOf returns the range of bytes of the representation that resp's body is. A
// ContentLength of 0 counts as unknown: a Response made by hand often has that and a body.
func rangeOf(resp *http.Response) (Range, Obstacle) {
	r, ok := Range{End: -1, Total: -1}, true
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.ContentLength > 0 {
			r.End, r.Total = resp.ContentLength, resp.ContentLength
		}
	case http.StatusPartialContent:
		r, ok = ContentRange(resp.Header)
		ok = ok && (resp.ContentLength <= 0 || resp.ContentLength == r.End-r.First)
	default:
		return Range{}, Status
	}
	switch {
	case !IsPlain(resp):
		return Range{}, Compressed
	case !ok:
		return Range{}, BadRange
	}
	return r, ""
}

// isRedirected reports whether the base followed a redirect, as http.Client does. If so,
// the response's validator belongs to another resource.
func isRedirected(req *http.Request, resp *http.Response) bool {
	return resp.Request != nil && resp.Request.Response != req.Response
}
