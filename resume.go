package insist

import (
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/download"
	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// resumption continues a call whose response has been handed over. If the body is
// truncated, it goes on from the call's last attempt, or reports why the body can't be
// resumed.
type resumption struct {
	base     http.RoundTripper
	policy   *Policy
	values   *contextValue
	req      *http.Request // the caller's
	given    *given        // nil if the base is known to leave req alone
	begun    time.Time
	reporter reporter
	key      string         // from IdempotencyKey; else empty
	hold     hold           // the call's place in the Cooldown
	conns    *conn.Guard    // of the attempts so far
	number   int            // of the last attempt; 1 after progress
	made     int            // attempts made, if there was a race; else zero
	host     string         // of the last attempt
	bucket   bucketKey      // of that host
	head     *http.Response // head of the last attempt's response; nil if the caller has that response

	first     head.Range // which bytes the first response's body is
	validator head.Validator
	obstacle  head.Obstacle // why the body can't be resumed; else empty
}

// resumption returns the resumption of the last response's body. It is nil if the body
// can't be resumed and nobody asks for a report of that.
func (c *call) resumption() *resumption {
	resp := c.last.resp
	if !c.policy.ResumeDownloads || resp == nil || !head.HasBody(c.req, resp) {
		return nil
	}
	first, v, why := head.Resumable(c.req, resp, c.policy.ResumeValidator)
	if why == "" && c.idempotent != yes {
		why = head.NotIdempotent
	}
	if why == head.Method || why != "" && !c.reporter.isOn() { // no download, or nothing to report to
		return nil
	}
	s := &resumption{
		base: c.base, policy: c.policy, values: c.values, req: c.req, begun: c.begun,
		reporter: c.reporter, key: c.key, hold: c.hold, conns: c.conns,
		number: c.last.number, made: c.made, host: c.last.host, bucket: c.last.bucket,
		first: first, validator: v, obstacle: why,
	}
	if c.given.taken {
		given := c.given
		s.given = &given
	}
	return s
}

// attach gives resp a body that s resumes. A nil s leaves the body as it is.
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

// rest continues the call from the attempt whose body was truncated: the loop decides,
// waits and makes attempts for p as after any other attempt.
func (s *resumption) rest(p *download.Part) (*http.Response, error) {
	if p.Progress {
		s.reporter.before += max(s.made, s.number) - 1
		s.number, s.made = 1, 0
	}
	policy := *s.policy // a part is not a whole body, so no rule looks into it
	policy.RetryableBody, policy.RetryableEvent, policy.MaxWholeBytes, policy.ResumeDownloads = nil, nil, 0, false
	req := s.request(p)
	c := call{
		base: s.base, policy: &policy, values: s.values, req: req, waiter: wait.ForRequest(req),
		begun: s.begun, reporter: s.reporter, conns: s.conns, idempotent: yes, part: p, key: s.key, hold: s.hold,
		made: s.made, host: s.host, bucket: s.bucket,
	}
	resp, err := c.run(outcome{
		number: s.number, req: req, resp: s.head, err: p.Err, host: s.host, bucket: s.bucket, begun: s.begun,
		canceled: c.waiter.Canceled(), replayable: true, idempotent: true, progress: p.Progress, more: p.Err == nil,
	})
	s.reporter, s.hold, s.conns = c.reporter, c.hold, c.conns
	s.number, s.made, s.host, s.bucket = c.last.number, c.made, c.last.host, c.last.bucket
	switch {
	case p.Accepted():
		head := *resp
		head.Body = http.NoBody
		s.head = &head
		return resp, nil
	case resp != nil:
		c.lastAttempt().Discard(resp, true, 0, &c.timer)
	case wait.ForRequest(s.req).Canceled():
		return nil, err
	}
	return nil, nil
}

// request returns a copy of the caller's request that asks for p, by Range and If-Range.
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

// acceptPart checks whether the last attempt's response, with which the call ends, is
// the part that was requested. If the rules accept the response but it is not that part,
// the attempt has failed.
func (c *call) acceptPart(a action) action {
	if c.last.resp == nil || c.last.err != nil {
		return a
	}
	why := c.part.Accept(c.last.resp)
	switch a.reason {
	case ReasonSuccess, ReasonAccepted, ReasonDecision:
		if why != "" {
			c.last.err, a.reason = &notResumableError{why, nil}, ReasonNotResumable
		}
	}
	return a
}

// partStatus replaces RetryableStatus for some responses to a request for a part: a 206
// is what was requested, and after a 412 or 416 another attempt would get the same. For
// all others it returns notAsked, so that the rule is asked.
func partStatus(code int) ruleResult {
	switch code {
	case http.StatusPartialContent, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return no
	}
	return notAsked
}
