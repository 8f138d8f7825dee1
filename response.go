package insist

import (
	"io"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/respbody"
)

// assess asks the rules about the last attempt, which may end it: if
// PerAttemptTimeout fires before the response is accepted, its body is already
// canceled, so the attempt failed, unless the body is fully buffered.
func (c *call) assess() assessment {
	a, more := c.policy.assess(&c.last), c.last.number < c.policy.maxAttempts()
	if a.open && (a.Verdict != Retry || more) {
		a = a.after(c.look(a.Verdict == Retry))
	}
	var ended error
	if a.Verdict == unknown && more && c.canBuffer() {
		ended = respbody.Buffer(c.waiter, c.last.resp, c.policy.MaxWholeBytes, c.policy.maxPeekTime())
		c.last.ended = c.last.ended || ended != io.EOF && c.waiter.Canceled()
	}
	switch resp := c.last.resp; {
	case ended == io.EOF || resp == nil || c.last.ended:
		return a
	case c.limit.IsSet() && c.limit.Stop():
		respbody.Discard(c.waiter, resp, 0)
		c.note(c.last.number, nil, nil, c.limit.Err())
	case ended != nil: // if there is no other attempt, this is the caller's
		c.last.err = ended
	default:
		return a
	}
	return c.policy.assess(&c.last)
}

// look asks the condition on the last response's body. While a request body that is
// read from the caller is being sent, it does not: the caller may wait for the
// response. A response that has failed already is looked into for no longer than it
// would take to drain it.
func (c *call) look(failed bool) Decision {
	resp, most, limit := c.last.resp, c.policy.maxPeekTime(), c.policy.maxPeekBytes()
	if failed {
		most = min(most, respbody.DrainAtMost)
	}
	if limit < 0 || !c.body.Sent() || !head.CanLook(c.req, resp) {
		return Decision{}
	}
	var body io.Reader
	r := respbody.Look(c.waiter, resp, limit, most)
	defer r.Stop()
	if body = r; head.IsGzip(resp) {
		unzipped := r.Unzip()
		defer unzipped.Free()
		body = unzipped
	}
	d := c.policy.RetryableBody(c.req, resp, c.last.number, body)
	c.last.ended = c.waiter.Canceled()
	return d
}

// canBuffer reports whether the last response is to be read before it is handed
// over: it is short, as far as its head tells, and could be asked for again.
func (c *call) canBuffer() bool {
	resp, limit := c.last.resp, c.policy.MaxWholeBytes
	if limit <= 0 || resp == nil || c.last.ended || !head.CanBuffer(c.req, resp, limit) {
		return false
	}
	if c.traced && c.policy.Classify == nil {
		return false // it would not be asked for again
	}
	return c.body.Sent() // otherwise the sender may wait for the response
}

// finish hands the last attempt's result over. This is where the layers around a
// response's body are put in order: from the inside, what was looked into, the end
// of the attempt's context, what resumes it.
func (c *call) finish() (*http.Response, error) {
	c.state = handedOver
	resp := c.last.resp
	if resp == nil {
		c.limit.End()
		c.body.End()
		return nil, c.last.err
	}
	c.body.Keep()
	switch {
	case !c.limit.IsSet():
	case resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols:
		c.limit.End() // after a 101 the connection no longer depends on the context
	default:
		resp.Body = c.limit.Body(resp.Body)
	}
	if c.policy.ResumeDownloads {
		c.makeResumable(resp)
	}
	return resp, nil
}
