package insist

import (
	"io"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/respbody"
)

// assessOnce returns what a race has heard of the rules about the last attempt, or asks
// them.
func (c *call) assessOnce() assessment {
	if a := c.assessed; a != nil {
		c.assessed = nil
		return *a
	}
	return c.assess()
}

// assess asks the rules about the last attempt, which may end it: if
// PerAttemptTimeout fires before the response is accepted, its body is already
// canceled, so the attempt failed, unless the body is fully buffered.
func (c *call) assess() assessment {
	a, more := c.policy.assess(&c.last), max(c.made, c.last.number) < c.policy.maxAttempts()
	if a.open && (a.Verdict != Retry || more) {
		a = a.after(c.look(a.Verdict == Retry))
	}
	if a.Verdict == unknown && a.asksEvent && !c.last.ended {
		a = a.after(c.lookAtEvent())
	}
	var ended error
	if a.Verdict == unknown && more && c.canBuffer() {
		ended = c.openBody().Buffer(c.policy.MaxWholeBytes, c.policy.maxPeekTime())
		c.last.ended = c.last.ended || ended != io.EOF && c.waiter.Canceled()
	}
	if ended == io.EOF || c.last.resp == nil || c.last.ended {
		return a
	}
	late := c.limit.Stop()
	switch {
	case late:
		c.lastAttempt().Discard(c.last.resp, 0, &c.timer)
		c.note(c.last.number, nil, nil, c.limit.Err())
	case ended != nil: // if there is no other attempt, this is the caller's
		c.last.err = ended
	default:
		return a
	}
	return c.policy.assess(&c.last)
}

// cancelsAttempts reports whether each attempt needs a context of its own, to end it or
// a Read of its response's body. Where that body is net/http's, its Close does the same
// at no cost; where it is another's, Close during a Read may corrupt data.
func (p *Policy) cancelsAttempts(base http.RoundTripper) bool {
	if p.PerAttemptTimeout > 0 || p.BodyIdleTimeout > 0 {
		return true
	}
	_, netHTTP := base.(*http.Transport)
	return (p.RetryableBody != nil || p.RetryableEvent != nil || p.MaxWholeBytes > 0) && !netHTTP
}

// lastAttempt is what the last attempt lends for handling its response's body.
func (c *call) lastAttempt() respbody.Attempt {
	return respbody.Attempt{Waiter: c.waiter, Cancel: c.limit.Cancel(), Idle: c.policy.BodyIdleTimeout}
}

// openBody returns the last response's body, to be read before the hand-over. From
// then on the last response is a copy of the base's.
func (c *call) openBody() *respbody.Body {
	if c.last.body == nil {
		c.last.body = respbody.Open(c.last.resp, c.lastAttempt())
		c.last.resp = c.last.body.Response()
	}
	return c.last.body
}

// look asks the condition about the last response's body. While a request body that
// is read from the caller is being sent, it does not: the caller may wait for the
// response. A response that has failed already is looked into for no longer than it
// would take to drain it.
func (c *call) look(failed bool) Decision {
	most, limit := c.policy.maxPeekTime(), c.policy.maxPeekBytes()
	if failed {
		most = min(most, respbody.DrainAtMost)
	}
	if limit < 0 || !c.body.Sent() || !head.CanLook(c.req, c.last.resp) {
		return Decision{}
	}
	var body io.Reader = http.NoBody
	if !head.IsEmpty(c.last.resp) {
		r := c.openBody().Look(limit, most)
		defer r.Stop()
		body = r
		if head.IsGzip(c.last.resp) {
			unzipped := r.Unzip()
			defer unzipped.Free()
			body = unzipped
		}
	}
	d := c.policy.RetryableBody(c.req, c.last.resp, c.last.number, body)
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
// response's body are put in order. From the inside:
//
//   - what has been read of it before, if it was opened;
//   - the bound on its silence, and the end of the attempt's context, if the attempt has
//     its own;
//   - the end of a request body that the base may have forgotten;
//   - the resumption of a truncated download, to which a silent one counts.
func (c *call) finish() (*http.Response, error) {
	resumption := c.resumption() // asks the caller's validator, which may panic
	resp := c.last.resp
	if resp == nil {
		c.state = handedOver
		c.limit.End()
		c.body.End()
		return nil, c.last.err
	}
	end := c.body.Keep()
	c.state = handedOver
	c.limit.Stop()
	switch {
	case !c.limit.IsSet():
	case head.IsEmpty(resp) || resp.StatusCode == http.StatusSwitchingProtocols:
		c.limit.End() // after a 101 the connection no longer depends on the context
	case c.policy.BodyIdleTimeout > 0 && head.HasBody(c.req, resp):
		last := c.lastAttempt()
		last.Cancel = c.guardBody()
		resp.Body = last.BoundIdle(resp.Body)
	case c.last.body == nil: // an opened body ends the context itself
		resp.Body = c.limit.Body(resp.Body)
	}
	if end != nil {
		reqbody.EndWith(resp, end)
	}
	resumption.attach(resp)
	return resp, nil
}
