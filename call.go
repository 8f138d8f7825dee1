package insist

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/download"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// call is one RoundTrip of a RetryTransport, or its continuation by a resumed body.
type call struct {
	base     http.RoundTripper
	policy   *Policy
	values   *contextValue // what the caller's context holds of ours
	req      *http.Request // the caller's, never changed
	waiter   wait.Waiter
	given    given
	body     reqbody.Body
	part     *download.Part // if the call resumes a download: what it requests; else nil
	reporter reporter

	host         string              // of the last attempt, as its URL has it
	bucket       bucketKey           // of that host
	begun        time.Time           // of the call; zero if MaxElapsed is not set
	timer        wait.Timer          // limits how long a discarded response is read
	limit        wait.Limit          // of the last attempt, if attempts are cancelable
	conns        *conn.Guard         // nil if no connection is watched
	idempotent   ruleResult          // of Policy.Idempotent
	traced       bool                // what is sent of an attempt is tracked, since it may not be sent twice
	copied       bool                // the first attempt is a copy, too
	cancelable   bool                // each attempt has its own context
	stopsRepeats bool                // an attempt ends before the base repeats it; see preventRepeats
	repeats      *neterr.RepeatGuard // of the last attempt
	unexpected   bool                // the server refuses the Expect header
	runner       *runner             // the attempt is one of a race (see Hedge), and this is its memory; else nil
	made         int                 // attempts, including those in flight; only races count here
	assessed     *assessment         // of the last attempt, if a race has already asked the rules
	key          string              // from IdempotencyKey; else empty
	hold         hold                // the call's place in the Cooldown
	held         time.Duration       // how long the Cooldown held the last attempt back
	until        time.Time           // if a Cooldown ended the call: when its pause ends
	last         outcome             // of the last attempt; its number is 0 before the first
	state        callState
}

// callState says who has to close the last attempt's response and the request body.
//
//	open → discarded    another attempt follows
//	discarded → open    that attempt has been made
//	open → handedOver   the call ends: the response is the caller's, the request body the base's
type callState uint8

const (
	open       callState = iota // the call closes both, if there are any
	discarded                   // the response is closed; the call closes the request body
	handedOver                  // the call closes neither
)

// run makes attempts until the result of one is kept. It is the only loop. A call that
// has made no attempt yet begins with the zero outcome. The fast path and a resumed
// body have made one, and begin with its outcome.
func (c *call) run(o outcome) (*http.Response, error) {
	defer c.cleanUp()
	c.prepare()
	for c.last = o; ; {
		next := action{retry: true} // the first attempt
		if c.last.number > 0 {
			next = c.decide()
		}
		if !next.retry {
			return c.finish()
		}
		if !c.wait(next.wait) {
			return nil, c.fail(ReasonContext, nil)
		}
		if err := c.attempt(max(c.made, c.last.number) + 1); err != nil {
			return nil, err
		}
	}
}

// prepare decides, before the first attempt, what the attempts need.
func (c *call) prepare() {
	if c.idempotent == notAsked {
		c.idempotent = resultOf(c.policy.idempotent(c.req))
	}
	if c.begun.IsZero() {
		c.begun = now(c.policy.MaxElapsed > 0)
	}
	c.hold.cooldown = c.policy.Cooldown
	c.addKey()
	if c.reporter.ctx == nil && (c.policy.OnAttempt != nil || c.values != nil) {
		c.reporter = newReporter(c.req.Context(), c.values, c.policy)
	}
	c.cancelable = c.policy.cancelsAttempts(c.base)
	single := c.policy.maxAttempts() == 1
	leaves := single && retries(c.base) // the RetryTransport below guards what it sends
	if !c.traced && c.guarded() && !leaves {
		// Else the fast path has decided, before the base could change the headers.
		c.traced = true
		c.preventRepeats()
	}
	c.copied = c.values.isAttempt() || c.cancelable || c.stopsRepeats || c.key != ""
	if single {
		if c.policy.PerAttemptTimeout > 0 { // a Read of the request body may block: the limit must end that, too
			c.body.Take(c.req, -1)
		}
		c.traced = c.stopsRepeats
		c.copied = c.copied || c.body.Once && (c.req.GetBody != nil || repeatedBelow(c.req))
		return
	}
	if !c.given.bodyless { // without a body of the caller's, one that the base has added is not ours
		c.body.Take(c.req, c.policy.maxReplayBytes())
	}
	if !c.given.taken {
		c.given.take(c.base, c.req)
	}
	c.copied = c.copied || c.traced || c.body.IsStream() || wraps(c.base)
}

// hostOf returns the host and port of a request's URL. It is empty if u is nil: some
// bases accept that.
func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Host
}

// guarded reports whether the request must not be sent a second time once its response
// was lost.
func (c *call) guarded() bool { return c.policy.guards(c.idempotent == yes) }

// decide returns what follows the last attempt, and reports the attempt.
func (c *call) decide() action {
	a := c.assessOnce()
	if c.hold.cooldown != nil {
		c.hold.begin(c.req, "", c.policy.pauseAsked(&c.last, a))
		if a.Verdict == Retry {
			c.last.hold, c.last.pause = c.hold.until(c.req, "")
		}
	}
	c.guardConns()
	c.last.made = c.made
	next := c.policy.bound(c.req.Context(), &c.last, a)
	if c.part != nil && !next.retry {
		next = c.acceptPart(next)
	}
	c.reporter.report(&c.last, next)
	c.policy.feed(&c.last, next)
	return next
}

// attempt makes attempt n and leaves its outcome in c.last. A non-nil error ends the
// call: the request could not be built, so no attempt was made.
func (c *call) attempt(n int) error {
	if c.hold.cooldown != nil {
		if err := c.holdBack(); err != nil {
			return err
		}
	}
	if c.policy.Hedge != nil {
		if delay, ok := c.hedgeDelay(n); ok {
			return c.race(n, delay)
		}
		defer c.noteLatency(n, time.Now())
	}
	c.reporter.begin()
	if n == 1 && !c.copied {
		resp, err := c.base.RoundTrip(c.req)
		c.note(n, nil, resp, err)
		return nil
	}
	out, o := c.outgoing(n)
	if o != nil {
		return c.fail(o.why, o.cause)
	}
	c.host, c.bucket = hostOf(out.Request.URL), c.policy.hostKey(out.Request.URL)
	resp, err := c.send(out)
	for tries := 1; err != nil && tries < maxRefused && c.sendAnew(); tries++ {
		if out, o = c.outgoing(n); o != nil {
			return c.fail(o.why, o.cause)
		}
		resp, err = c.send(out)
	}
	c.note(n, &out.tracker, resp, err)
	return nil
}

// noteLatency notes how long the response to attempt n took to begin.
func (c *call) noteLatency(n int, begun time.Time) {
	if c.last.number == n && c.last.resp != nil {
		c.policy.Hedge.note(c.hedgeHost(), begun)
	}
}

// send has the base make an attempt, out being its copy of the request.
func (c *call) send(out *outgoing) (*http.Response, error) {
	resp, err := out.send(c.base, c.req.Context())
	return c.received(out, resp, err)
}

// received translates what the base has returned into what the caller sees.
func (c *call) received(out *outgoing, resp *http.Response, err error) (*http.Response, error) {
	if err != nil && c.limit.Stop() && !c.waiter.Canceled() {
		err = c.limit.Err() // on HTTP/2 err says only that the context was canceled
	}
	if err != nil && c.repeats.Stopped() {
		err = neterr.ErrRepeated
	}
	if resp != nil {
		out.absoluteLocation(resp, c.req)
		out.show(resp, c.req)
	}
	return resp, err
}

// note makes the outcome of attempt n the last one.
func (c *call) note(n int, tracker *neterr.Tracker, resp *http.Response, err error) {
	broken := error(nil)
	if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() { // its methods would panic
		broken = errNilError
	}
	switch {
	case resp != nil && err != nil: // the base breaks its contract; the error counts
		if resp.Body != nil {
			resp.Body.Close()
		}
		resp = nil
	case resp == nil && err == nil:
		broken = errNoResponse
	}
	if broken != nil {
		err = &Error{Attempts: c.reporter.before + n, Reason: ReasonError, Err: broken}
	}
	if c.host == "" {
		u := c.given.urlOf(c.req)
		c.host, c.bucket = hostOf(u), c.policy.hostKey(u)
	}
	c.state = open
	c.last = outcome{
		number: n, req: c.req, resp: resp, err: err, host: c.host,
		bucket: c.bucket, lease: c.last.lease, begun: c.begun,
		canceled:   c.waiter.Canceled(),
		held:       c.held,
		replayable: c.body.Whole(),
		idempotent: c.idempotent == yes,
	}
	if err == nil {
		if c.part != nil {
			c.last.status = partStatus(resp.StatusCode)
		}
		return
	}
	c.last.unsent = c.idempotent != yes && tracker.Unsent(err, errors.Is(err, wait.ErrAttemptTimeout))
	if own := c.body.Failure(); own != nil && !c.last.canceled {
		c.last.err, c.last.badBody = own, true
	}
}

// wait discards the last attempt and waits for d. It reports whether the caller
// still wants a result.
func (c *call) wait(d time.Duration) bool {
	if c.last.number == 0 {
		return !c.waiter.Canceled()
	}
	start, sent := now(d > 0), c.body.Sent()
	c.body.Revoke() // before the response is closed: HTTP/2 waits for it
	c.last.resp = c.lastAttempt().Discard(c.last.resp, sent, d, &c.timer)
	c.state = discarded
	c.limit.End()
	if d > 0 {
		d -= time.Since(start)
	}
	return c.waiter.Pause(d)
}

// fail returns the error of a call that ends without a result to hand over: the last
// response, if any, has been closed.
func (c *call) fail(why Reason, cause error) error {
	ctx, inFlight := c.req.Context(), errors.Is(cause, reqbody.ErrInFlight)
	if why == ReasonBody && c.waiter.Canceled() {
		why = ReasonContext
	}
	e := &Error{Attempts: c.reporter.before + c.last.number, Reason: why, Err: c.last.err, Cause: cause, Until: c.until}
	if c.last.resp != nil {
		e.Status = c.last.resp.StatusCode
	}
	if why == ReasonContext {
		if e.Cause, e.ctxErr = context.Cause(ctx), ctx.Err(); e.Cause == nil {
			e.Cause = errCanceled
		}
	}
	c.reporter.amend(why)
	if why != ReasonBody {
		return e
	}
	if own := c.body.Failure(); own != nil { // its reader failed during the wait
		return own
	}
	if inFlight && c.last.err != nil {
		return c.last.err
	}
	return e
}

// cleanUp runs however the call ends. If nothing was handed over (the context ended, or
// a rule or hook panicked), it closes what is open.
func (c *call) cleanUp() {
	if c.state == handedOver {
		return
	}
	c.limit.End()
	if c.last.resp != nil && c.last.resp.Body != nil && c.state != discarded {
		defer c.last.resp.Body.Close() // after the request body, whose Close may panic
	}
	c.body.End()
	if c.last.number == 0 && !c.body.IsStream() && c.req.Body != nil {
		c.req.Body.Close() // the base has not seen it
	}
}

// holdBack waits until the Cooldown lets the call's next attempt begin. A non-nil error
// ends the call: the wait would be too long, or the context ended.
func (c *call) holdBack() error {
	for c.held = 0; ; {
		most, pause := c.hold.until(c.req, "")
		switch {
		case most <= 0:
			return nil
		case pause > c.policy.maxRetryAfter() || !c.policy.fits(c.req.Context(), c.begun, time.Now(), most):
			c.until = time.Now().Add(pause)
			return c.fail(ReasonCooldown, nil)
		case !c.waiter.Pause(most):
			return c.fail(ReasonContext, nil)
		}
		c.held += most
	}
}
