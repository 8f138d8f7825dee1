package head

import "net/http"

// Obstacle is a word for why a response's body can't be resumed, or why a response
// does not continue one. Empty means that there is no obstacle.
type Obstacle string

// The obstacles.
const (
	Method        Obstacle = "method"            // of the request: no GET, or one with a body
	NotIdempotent Obstacle = "not_idempotent"    // by the caller's rule
	Status        Obstacle = "status"            // of the response
	Compressed    Obstacle = "compressed"        // ranges are of other bytes than the caller gets
	Trailers      Obstacle = "trailers"          // they would be the last part's
	Redirect      Obstacle = "redirect"          // followed by the base: the validator is another resource's
	NoRanges      Obstacle = "no_ranges"         // Accept-Ranges says so
	NoValidator   Obstacle = "no_validator"      // versions can't be told apart
	WeakValidator Obstacle = "weak_validator"    // the same
	BadRange      Obstacle = "bad_content_range" // or none, or not the one that is needed
	Changed       Obstacle = "changed"           // by the validator
	RangeIgnored  Obstacle = "range_ignored"     // and too much would have to be read again
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

// Continues returns which bytes resp's body is, resp being the response to a request
// for a range, or why they are not of v's version of what req asks for.
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
