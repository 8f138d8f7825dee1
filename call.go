package insist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// call is one RoundTrip of a RetryTransport.
type call struct {
	base   http.RoundTripper
	policy *Policy
	around *scope        // what the caller's context holds
	req    *http.Request // the caller's, never changed
	caller caller
	body   body
	teller teller

	begun      time.Time // if MaxElapsed asks for it
	limit      timeLimit // on the last attempt
	idempotent bool
	traced     bool    // non-idempotent attempts: was anything sent?
	copied     bool    // the first attempt is a copy, too
	unexpected bool    // the server won't have an Expect header
	last       outcome // of the last attempt
	closed     bool    // the last attempt's response has been closed
	settled    bool    // body and response are somebody else's by now
}

func (c *call) run() (*http.Response, error) {
	defer c.cleanUp()
	c.prepare()
	if c.caller.gone() {
		return nil, c.fail(ReasonContext, nil)
	}
	if err := c.attempt(1); err != nil {
		return nil, err
	}
	return c.conclude(c.opinion())
}

// conclude goes on from the last attempt, of which the rules think op.
func (c *call) conclude(op opinion) (*http.Response, error) {
	for n := c.last.number + 1; ; n++ {
		ruling := c.policy.bound(c.req.Context(), &c.last, op)
		c.teller.tell(&c.last, ruling)
		c.policy.feed(&c.last, ruling)
		if !ruling.retry {
			return c.finish()
		}
		if !c.wait(ruling.wait) {
			return nil, c.fail(ReasonContext, nil)
		}
		if err := c.attempt(n); err != nil {
			return nil, err
		}
		op = c.opinion()
	}
}

// prepare finds out what the first attempt needs.
func (c *call) prepare() {
	c.idempotent = c.policy.idempotent(c.req)
	if c.policy.OnAttempt != nil || c.around != nil {
		c.teller = newTeller(c.req.Context(), c.around, c.policy, time.Time{})
	}
	c.copied = c.around.numbered() || c.policy.PerAttemptTimeout > 0
	if c.policy.maxAttempts() == 1 {
		if c.policy.PerAttemptTimeout > 0 { // it is to end a Read that blocks, too
			c.body.take(c.req, -1)
		}
		if c.guarded() && repeatedBelow(c.req) {
			c.body.once, c.copied = true, true
		}
		return
	}
	c.body.take(c.req, c.policy.maxReplayBytes())
	c.traced = c.guarded()
	// With a GetBody net/http repeats a request after HTTP/2's PROTOCOL_ERROR,
	// too, which proves nothing. Without one it tells us what happened.
	c.body.once = c.traced && (c.req.GetBody == nil || repeatedBelow(c.req))
	c.copied = c.copied || c.traced || c.body.stream != nil || wraps(c.base)
	c.begun = now(c.policy.MaxElapsed > 0)
}

// attempt makes attempt n and leaves its outcome in c.last. It returns an error,
// the call's, if there was none, since the request could not be made.
func (c *call) attempt(n int) error {
	c.teller.begin()
	if n == 1 && !c.copied {
		resp, err := c.base.RoundTrip(c.req)
		c.note(n, nil, resp, err)
		return nil
	}
	a := c.copy(n)
	if n > 1 {
		c.adapt(&a.request)
	}
	if err := c.body.fill(a); err != nil {
		return c.fail(ReasonBody, err)
	}
	if n > 1 && c.policy.Prepare != nil {
		if err := c.policy.Prepare(&a.request); err != nil {
			return c.fail(ReasonError, err)
		}
	}
	if c.body.once {
		sendOnce(&a.request)
	}
	resp, err := a.send(c.base)
	if err != nil && c.limit.stop() && !c.caller.gone() {
		err = errAttemptTimeout // HTTP/2 would say that the context was canceled
	}
	if resp != nil && a.sent(resp.Request) {
		resp.Request = c.req // as without us; and the copy can go
	}
	c.note(n, a, resp, err)
	return nil
}

// note makes attempt n's outcome c.last.
func (c *call) note(n int, a *attempt, resp *http.Response, err error) {
	switch {
	case resp != nil && err != nil: // a broken base; the error counts
		if resp.Body != nil {
			resp.Body.Close()
		}
		resp = nil
	case resp == nil && err == nil:
		err = &Error{Attempts: c.teller.before + n, Reason: ReasonError, Err: errNoAnswer}
	}
	c.closed = false
	c.last = outcome{
		number: n, req: c.req, resp: resp, err: err, host: c.req.URL.Host, begun: c.begun,
		ended:      c.caller.gone(),
		whole:      c.body.whole(),
		idempotent: c.idempotent,
	}
	if err == nil {
		return
	}
	c.last.unsent = !c.idempotent && a.unsent(err)
	if own := c.body.failure(); own != nil && !c.last.ended {
		c.last.err, c.last.badBody = own, true
	}
}

// opinion is what the rules think of the last attempt. A response that comes to
// be kept only when the attempt's time is over is none, unless it is there whole:
// its body is dead.
func (c *call) opinion() opinion {
	op, more := c.policy.judge(&c.last), c.last.number < c.policy.maxAttempts()
	if op.open && (op.Verdict != Retry || more) {
		op = op.after(c.look(op.Verdict == Retry))
	}
	var broken error
	if op.Verdict == unknown && more && c.wantsWhole() {
		broken = c.readWhole()
	}
	switch resp := c.last.resp; {
	case broken == io.EOF || resp == nil || c.last.ended:
		return op
	case c.limit.cancel != nil && c.limit.stop():
		discard(c.caller, resp, 0)
		c.note(c.last.number, nil, nil, errAttemptTimeout)
	case broken != nil: // if there is no other attempt, this is the caller's
		c.last.err = broken
	default:
		return op
	}
	return c.policy.judge(&c.last)
}

// look asks the condition on the last response's body. While a request body that is
// read from the caller is being sent it does not: he may wait for the answer. An
// answer that has failed already takes no more time than it would to drain it.
func (c *call) look(failed bool) Decision {
	resp, most := c.last.resp, c.policy.maxPeekTime()
	if failed {
		most = min(most, drainAtMost)
	}
	if !c.body.sent() || !worthLooking(c.req, resp) {
		return Decision{}
	}
	d := c.policy.peek(c.caller, c.req, resp, c.last.number, most)
	c.last.ended = c.caller.gone()
	return d
}

// wait throws the last attempt away and waits for d. It reports whether the
// caller still waits, too.
func (c *call) wait(d time.Duration) bool {
	start := now(d > 0)
	c.body.revoke() // before the response is closed: HTTP/2 waits for it
	discard(c.caller, c.last.resp, d)
	c.closed = true
	c.limit.end()
	if d > 0 {
		d -= time.Since(start)
	}
	return c.caller.pause(d)
}

// finish hands the last attempt's result over.
func (c *call) finish() (*http.Response, error) {
	c.settled = true
	if resp := c.last.resp; resp != nil {
		c.body.keep()
		c.limit.keep(resp)
		if c.policy.ResumeDownloads {
			c.makeResumable(resp)
		}
		return resp, nil
	}
	c.limit.end()
	c.body.end()
	return nil, c.last.err
}

// fail ends a call that has no result to hand over: the last response, if any,
// is closed by now.
func (c *call) fail(why Reason, cause error) error {
	ctx, inFlight := c.req.Context(), errors.Is(cause, errInFlight)
	if inFlight && c.caller.gone() {
		why = ReasonContext
	}
	e := &Error{Attempts: c.teller.before + c.last.number, Reason: why, Err: c.last.err, Cause: cause}
	if c.last.resp != nil {
		e.Status = c.last.resp.StatusCode
	}
	if why == ReasonContext {
		if e.Cause, e.ctxErr = context.Cause(ctx), ctx.Err(); e.Cause == nil {
			e.Cause = errCanceled
		}
	}
	c.teller.amend(why)
	if inFlight && why == ReasonBody && c.last.err != nil {
		return c.last.err
	}
	return e
}

// cleanUp runs on all ways out. Where nothing was handed over (the context
// ended, a rule or hook panicked) it closes what is open.
func (c *call) cleanUp() {
	if c.settled {
		return
	}
	c.limit.end()
	c.body.end()
	if c.last.number == 0 && c.body.stream == nil && c.req.Body != nil {
		c.req.Body.Close() // the base has not seen it
	}
	if c.last.resp != nil && c.last.resp.Body != nil && !c.closed {
		c.last.resp.Body.Close()
	}
}
