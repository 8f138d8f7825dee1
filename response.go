package insist

import (
	"io"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/respbody"
)

// assessOnce returns the assessment of the last attempt. If a race has already asked the
// rules, they are not asked again.
func (c *call) assessOnce() assessment {
	if a := c.assessed; a != nil {
		c.assessed = nil
		return *a
	}
	return c.assess()
}

// assess asks the rules about the last attempt. This may change the outcome. If
// PerAttemptTimeout fires before the response is accepted, its body is already canceled,
// so the attempt failed, unless the body is fully buffered. If MaxWholeBytes finds a
// truncated body, the attempt failed, too.
func (c *call) assess() assessment {
	a, more := c.policy.assess(&c.last), max(c.made, c.last.number) < c.policy.maxAttempts()
	if a.open && (a.Verdict != Retry || more) {
		a = a.after(c.look(a.Verdict == Retry))
	}
	if a.Verdict == unknown && a.asksEvent && !c.last.canceled {
		a = a.after(c.lookAtEvent())
	}
	var bodyErr error // io.EOF if the body is fully buffered
	if a.Verdict == unknown && more && c.canBuffer() {
		bodyErr = c.openBody().Buffer(c.policy.MaxWholeBytes, c.policy.maxPeekTime())
		c.last.canceled = c.last.canceled || bodyErr != io.EOF && c.waiter.Canceled()
	}
	if bodyErr == io.EOF || c.last.resp == nil || c.last.canceled {
		return a
	}
	late := c.limit.Stop()
	switch {
	case late:
		c.lastAttempt().Discard(c.last.resp, c.body.Sent(), 0, &c.timer)
		c.note(c.last.number, nil, nil, c.limit.Err())
	case bodyErr != nil: // truncated; if no attempt follows, the caller gets the response
		c.last.err = bodyErr
	default:
		return a
	}
	return c.policy.assess(&c.last)
}

// cancelsAttempts reports whether each attempt needs its own context, by which the
// attempt, or a Read of its response's body, can be ended. A body of net/http's can be
// closed during a Read, at no cost; closing any other body during a Read may corrupt
// data.
func (p *Policy) cancelsAttempts(base http.RoundTripper) bool {
	if p.PerAttemptTimeout > 0 || p.BodyIdleTimeout > 0 {
		return true
	}
	_, netHTTP := base.(*http.Transport)
	return (p.RetryableBody != nil || p.RetryableEvent != nil || p.MaxWholeBytes > 0) && !netHTTP
}

// lastAttempt returns what respbody needs to know about the last attempt.
func (c *call) lastAttempt() respbody.Attempt {
	return respbody.Attempt{Waiter: c.waiter, Cancel: c.limit.Cancel(), Idle: c.policy.BodyIdleTimeout}
}

// openBody returns the last response's body, to be read before the response is handed
// over. It replaces the last response by a copy, whose body gives every byte once more.
func (c *call) openBody() *respbody.Body {
	if c.last.body == nil {
		c.last.body = respbody.Open(c.last.resp, c.lastAttempt())
		c.last.resp = c.last.body.Response()
	}
	return c.last.body
}

// look asks RetryableBody about the last response's body. If a request body that is read
// from the caller is still being sent, it does not ask: the caller may wait for the
// response before it writes more. failed says that the response already counts as a
// failure. It is then looked into for no longer than draining it may take.
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
	c.last.canceled = c.waiter.Canceled()
	return d
}

// canBuffer reports whether the last response is to be read before it is handed over: as
// far as its head tells it is short, and if it is truncated the request can be retried.
func (c *call) canBuffer() bool {
	resp, limit := c.last.resp, c.policy.MaxWholeBytes
	if limit <= 0 || resp == nil || c.last.canceled || !head.CanBuffer(c.req, resp, limit) {
		return false
	}
	if c.traced && c.policy.Classify == nil {
		return false // not idempotent, and its response is lost: it would not be retried
	}
	return c.body.Sent() // else the caller may wait for the response before it writes more
}

// finish hands the last attempt's result over. The order of the layers around a
// response's body is decided here. From the inside:
//
//   - the bytes that were read before the hand-over, if the body was opened;
//   - BodyIdleTimeout, and the end of the attempt's context, if the attempt has its own;
//   - the end of the request body, which the base may not have closed;
//   - the resumption of a truncated download; one that timed out by BodyIdleTimeout
//     counts as truncated.
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
