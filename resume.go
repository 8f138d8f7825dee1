package insist

import (
	"fmt"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/download"
	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// resumption is what is left of a call once its response has been handed over: enough
// to go on from its last attempt if the body is truncated, or to report why that is
// not done.
type resumption struct {
	base     http.RoundTripper
	policy   *Policy
	values   *contextValue
	req      *http.Request // the caller's
	given    *given        // nil if no base can have changed req
	begun    time.Time
	reporter reporter
	number   int            // of the last attempt, from the last progress on
	host     string         // of the last attempt
	bucket   bucketKey      // of that host
	conns    *conn.Guard    // of that attempt and those before
	head     *http.Response // of the last attempt; nil if the caller has it

	first     head.Range // what the response's body is
	validator head.Validator
	obstacle  head.Obstacle
}

// resumption returns what resumes the last response's body, or nil where a truncation
// of that is the caller's matter alone.
func (c *call) resumption() *resumption {
	resp := c.last.resp
	if !c.policy.ResumeDownloads || resp == nil || resp.ContentLength == 0 || !head.HasBody(c.req, resp) {
		return nil
	}
	first, v, why := head.Resumable(c.req, resp, c.policy.ResumeValidator)
	if why == "" && c.idempotent != yes {
		why = head.NotIdempotent
	}
	if why == head.Method || why != "" && !c.reporter.isOn() { // no download, or nobody to tell
		return nil
	}
	s := &resumption{
		base: c.base, policy: c.policy, values: c.values, req: c.req, begun: c.begun,
		reporter: c.reporter, number: c.last.number, host: c.last.host, bucket: c.last.bucket, first: first, validator: v, obstacle: why,
		conns: c.conns,
	}
	if c.given.taken {
		given := c.given
		s.given = &given
	}
	return s
}

// attach has resp's body resumed by s, which may be nil.
func (s *resumption) attach(resp *http.Response) {
	switch {
	case s == nil:
	case s.obstacle != "":
		resp.Body = download.New(s.req, resp, head.Range{End: -1, Total: -1}, head.Validator{}, s.refuse)
	default:
		resp.Body = download.New(s.req, resp, s.first, s.validator, s.rest)
	}
}

// refuse reports that the truncated body is not resumed.
func (s *resumption) refuse(p *download.Part) (*http.Response, error) {
	s.reporter.report(&outcome{
		number: s.number, req: s.req, host: s.host, err: &notResumableError{s.obstacle, p.Err},
	}, action{reason: ReasonNotResumable})
	return nil, nil
}

// rest goes on with the call, from the attempt whose body was truncated: the loop
// decides, waits and makes attempts for p as after any other attempt.
func (s *resumption) rest(p *download.Part) (*http.Response, error) {
	if p.Progress {
		s.reporter.before += s.number - 1
		s.number = 1
	}
	policy := *s.policy
	policy.RetryableBody, policy.RetryableEvent, policy.MaxWholeBytes, policy.ResumeDownloads = nil, nil, 0, false // no rules for parts
	req := s.request(p)
	c := call{
		base: s.base, policy: &policy, values: s.values, req: req, waiter: wait.ForRequest(req),
		host: s.host, bucket: s.bucket, idempotent: yes, begun: s.begun, reporter: s.reporter, part: p,
		conns: s.conns,
	}
	resp, err := c.run(outcome{
		number: s.number, req: req, resp: s.head, err: p.Err, host: s.host, bucket: s.bucket, begun: s.begun,
		ended: c.waiter.Canceled(), whole: true, idempotent: true, progress: p.Progress, more: p.Err == nil,
	})
	s.reporter, s.conns, s.number, s.host, s.bucket = c.reporter, c.conns, c.last.number, c.last.host, c.last.bucket
	switch {
	case p.Taken():
		head := *resp
		head.Body = http.NoBody
		s.head = &head
		return resp, nil
	case resp != nil:
		c.lastAttempt().Discard(resp, 0, &c.timer)
	case wait.ForRequest(s.req).Canceled():
		return nil, err
	}
	return nil, nil
}

// request returns the caller's request, for p.
func (s *resumption) request(p *download.Part) *http.Request {
	req := s.req.WithContext(p.Context)
	if s.given == nil || !s.given.restore(req) {
		req.Header = req.Header.Clone()
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	p.SetHeader(req.Header)
	return req
}

// takePart takes the last attempt's response, with which the call ends, if it is the
// part. Otherwise it says so, unless the rules count it as a failure anyway.
func (c *call) takePart(a action) action {
	if c.last.resp == nil || c.last.err != nil {
		return a
	}
	why := c.part.Take(c.last.resp)
	switch a.reason {
	case ReasonSuccess, ReasonAccepted, ReasonDecision:
		if why != "" {
			c.last.err, a.reason = &notResumableError{why, nil}, ReasonNotResumable
		}
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

// notResumableError is on record where a truncated body is not resumed. The caller
// gets the error in which it was truncated.
type notResumableError struct {
	obstacle head.Obstacle
	err      error // in which the body was truncated; nil if a response does not continue it
}

func (e *notResumableError) Error() string {
	if e.err == nil {
		return "insist: not resumable: " + string(e.obstacle)
	}
	return fmt.Sprintf("insist: not resumable: %s: %v", e.obstacle, e.err)
}

func (e *notResumableError) Unwrap() error { return e.err }
