package insist

import (
	"errors"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/download"
	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/respbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// errOtherPart is on record where a response is not the part that was asked for. The
// caller gets the error in which the body was truncated.
var errOtherPart = errors.New("insist: the response does not continue the truncated body")

// resumption is what is left of a call whose response's body is resumed: enough to go
// on from its last attempt.
type resumption struct {
	base     http.RoundTripper
	policy   *Policy
	values   *contextValue
	req      *http.Request // the caller's
	given    given
	begun    time.Time
	reporter reporter
	number   int    // of the last attempt, from the last progress on
	host     string // of the last attempt
}

// makeResumable gives resp a body that is resumed, if it can be.
func (c *call) makeResumable(resp *http.Response) {
	if c.idempotent != yes || c.req.Method != http.MethodGet && c.req.Method != "" ||
		c.req.Body != nil && c.req.Body != http.NoBody || !head.HasBody(c.req, resp) || !head.IsPlain(resp) ||
		len(resp.Trailer) > 0 || head.Redirected(c.req, resp) {
		return
	}
	r, ok := head.Range{End: resp.ContentLength, Total: resp.ContentLength}, false
	if resp.StatusCode == http.StatusPartialContent {
		r, ok = head.ContentRange(resp.Header)
		ok = ok && (resp.ContentLength < 0 || resp.ContentLength == r.End-r.First)
	} else {
		ok = resp.StatusCode == http.StatusOK && head.AcceptsRanges(resp.Header)
	}
	v := head.ValidatorOf(resp.Header)
	if !ok || v == (head.Validator{}) {
		return
	}
	s := &resumption{
		base: c.base, policy: c.policy, values: c.values, req: c.req, given: c.given,
		begun: c.begun, reporter: c.reporter, number: c.last.number, host: c.last.host,
	}
	resp.Body = download.New(c.req, resp, r, v, s.rest)
}

// rest goes on with the call, from the attempt whose body was truncated: the loop
// decides, waits and makes attempts for p as after any other attempt.
func (s *resumption) rest(p *download.Part) (*http.Response, error) {
	if p.Progress {
		s.reporter.before += s.number - 1
		s.number = 1
	}
	policy := *s.policy
	policy.RetryableBody, policy.MaxWholeBytes, policy.ResumeDownloads = nil, 0, false // no rules for parts
	req := s.request(p)
	c := call{
		base: s.base, policy: &policy, values: s.values, req: req, waiter: wait.ForRequest(req),
		host: s.host, idempotent: yes, begun: s.begun, reporter: s.reporter, part: p,
	}
	resp, err := c.run(outcome{
		number: s.number, req: req, err: p.Err, host: s.host, begun: s.begun,
		ended: c.waiter.Canceled(), whole: true, idempotent: true, progress: p.Progress, more: p.Err == nil,
	})
	s.reporter, s.number, s.host = c.reporter, c.last.number, c.last.host
	switch {
	case p.Taken():
		return resp, nil
	case resp != nil:
		respbody.Discard(c.waiter, resp, 0)
	case wait.ForRequest(s.req).Canceled():
		return nil, err
	}
	return nil, nil
}

// request returns the caller's request, for p.
func (s *resumption) request(p *download.Part) *http.Request {
	req := s.req.WithContext(p.Context)
	if !s.given.restore(req) {
		req.Header = req.Header.Clone()
	}
	p.SetHeader(req.Header)
	return req
}

// takePart says why an attempt at a part, which is the last one, ends the call.
func (c *call) takePart(a action) action {
	if c.last.resp != nil && !c.part.Take(c.last.resp) && (a.reason == ReasonSuccess || a.reason == ReasonDecision) {
		c.last.err, a.reason = errOtherPart, ReasonError
	}
	return a
}

// partStatus is what the policy's rule would say about the status of a response to a
// request for a part, where the rule is not asked: a 206 is what is asked for, and
// after a 412 or 416 the representation stays changed.
func partStatus(code int) ruleResult {
	switch code {
	case http.StatusPartialContent, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return no
	}
	return notAsked
}
