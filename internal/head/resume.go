package head

import "net/http"

// Obstacle is a word for why a body can't be resumed, or why a response does not
// continue it. Empty means that there is no obstacle.
type Obstacle string

// The obstacles.
const (
	Method        Obstacle = "method"            // the request is not a GET, or has a body
	NotIdempotent Obstacle = "not_idempotent"    // a rule of the caller's says so of the request
	Status        Obstacle = "status"            // the status is another one than 200 or 206
	Compressed    Obstacle = "compressed"        // a range is of other bytes than the caller gets
	Trailers      Obstacle = "trailers"          // a part has none, or its own
	Redirect      Obstacle = "redirect"          // the base has followed one, to another resource
	NoRanges      Obstacle = "no_ranges"         // Accept-Ranges says so
	NoValidator   Obstacle = "no_validator"      // nothing identifies the version
	WeakValidator Obstacle = "weak_validator"    // nothing strong does
	BadRange      Obstacle = "bad_content_range" // it is missing, malformed, or not what was requested
	Changed       Obstacle = "changed"           // the validator is of another version
	RangeIgnored  Obstacle = "range_ignored"     // too much would have to be read again
)

// Resumable returns which bytes resp's body is, and the validator by which other
// responses are known to be of the same version, or why it can't be resumed. custom is
// ValidatorOf's.
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

// Continues returns which bytes of the version that v identifies resp's body is, or
// why it is none of it. resp is the response to a request for a range; req is the
// first request.
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

// rangeOf returns which bytes of the representation resp's body is. A Response that
// was made by hand often has a ContentLength of 0 beside its body.
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

// isRedirected reports whether the base has followed a redirect, as http.Client does.
// The response's validator is then that of another resource.
func isRedirected(req *http.Request, resp *http.Response) bool {
	return resp.Request != nil && resp.Request.Response != req.Response
}
