package insist

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/respbody"
	"github.com/seed-552c89fc/insist/internal/retryafter"
)

// outcome is the result of one attempt, as far as the rules need it. If the response's
// body was truncated it has a response and an error: then the error counts.
type outcome struct {
	number     int
	req        *http.Request  // the caller's
	resp       *http.Response // nil if none came
	body       *respbody.Body // of resp; nil until it is opened
	err        error
	host       string    // as the request's URL has it
	bucket     bucketKey // in the Budget
	lease      bucket.Lease
	begun      time.Time // when the call began; zero if MaxElapsed is not set
	canceled   bool      // the caller's context has ended
	badBody    bool      // err is the caller's own: its request body failed
	replayable bool      // the request body can be sent again in full
	idempotent bool
	unsent     bool          // it is proven that the server can't have acted on it
	progress   bool          // its body was truncated, but brought enough to begin a new count of attempts
	held       time.Duration // how long a Cooldown held this attempt back
	beside     time.Duration // see Attempt.Beside
	made       int           // attempts of the call, those of a race included; zero means number
	asked      time.Duration // what is left of the waits that earlier attempts of a race asked for
	hold       time.Duration // how long a Cooldown holds the next attempt back
	pause      time.Duration // how long the pause behind that hold goes on
	retired    bool          // it timed out, and its connection was taken out of use
	more       bool          // its body is complete, but only a part of the range that was requested
	status     ruleResult    // of RetryableStatus for resp
}

// failedStatus reports whether RetryableStatus counts the response as a failure. The
// rule is asked once about each attempt.
func (o *outcome) failedStatus(p *Policy) bool {
	if o.status == notAsked {
		o.status = resultOf(p.retryableStatus(o.resp.StatusCode) || p.isStandardTooLarge(o.resp))
	}
	return o.status == yes
}

// action is what follows an outcome.
type action struct {
	retry  bool
	wait   time.Duration
	reason Reason
}

// assessment is what the rules say about an outcome, before the bounds are applied.
type assessment struct {
	Decision
	reason    Reason
	sure      bool // Classify decided, so NonIdempotent does not apply
	open      bool // RetryableBody is to be asked, too
	asksEvent bool // RetryableEvent is to be asked, too, if the body is an event stream
}

// assess returns what the rules say about o, without its body: first whether anything
// forbids another attempt, then the rules in their order. bound then decides whether
// there is another attempt. Neither does I/O, and only bound changes state: it draws on
// the Budget. The package documentation has both as tables.
func (p *Policy) assess(o *outcome) assessment {
	switch {
	case o.more: // no failure: the rest is requested at once
		return assessment{Decision: Decision{Retry, -1}, reason: ReasonDecision}
	case o.badBody:
		return assessment{reason: ReasonBody}
	case o.canceled && o.err != nil:
		return assessment{reason: ReasonContext}
	}
	var d Decision
	resp := o.resp
	if o.err != nil {
		resp = nil
	}
	if p.Classify != nil && !o.canceled {
		d = p.Classify(o.req, resp, o.err, o.number)
		if d.Verdict == Retry || d.Verdict == Stop {
			return assessment{Decision: d, reason: ReasonDecision, sure: true}
		}
	}
	var a assessment
	if resp != nil {
		a = p.assessResponse(o, resp)
	} else {
		a = p.assessError(o.err)
	}
	if d.Wait != 0 {
		a.Wait = d.Wait
	}
	return a
}

func (p *Policy) assessResponse(o *outcome, resp *http.Response) assessment {
	if resp.StatusCode < 200 { // 101 has left HTTP, and no other 1xx ends an exchange
		return assessment{reason: ReasonSuccess}
	}
	if v := shouldRetry(resp.Header); v != unknown {
		return assessment{Decision: Decision{Verdict: v}, reason: ReasonDecision}
	}
	if expectationFailed(o.req, resp) {
		return assessment{Decision: Decision{Retry, -1}, reason: ReasonStatus}
	}
	if o.failedStatus(p) {
		return assessment{Decision: Decision{Verdict: Retry}, reason: ReasonStatus, open: p.RetryableBody != nil}
	}
	reason := ReasonSuccess
	if resp.StatusCode >= 400 {
		reason = ReasonAccepted
	}
	return assessment{reason: reason, open: p.RetryableBody != nil, asksEvent: p.RetryableEvent != nil}
}

// after returns the assessment once a condition on the body has returned d. If the
// status already counts as a failure, only d's Wait counts.
func (a assessment) after(d Decision) assessment {
	if a.Verdict != Retry && d.Verdict == Retry {
		a.Verdict, a.reason = Retry, ReasonCondition
	}
	if d.Wait != 0 {
		a.Wait = d.Wait
	}
	return a
}

// assessError asks the rules about the error of a transport's attempt. For functions,
// whose default is another, see decideCall.
func (p *Policy) assessError(err error) assessment {
	again := false
	switch {
	case err == nil || ErrorAs[*permanentError](err):
	case p.RetryableError != nil:
		again = p.RetryableError(err)
	default:
		again = !ErrorAs[*Error](err) && !neterr.IsPermanent(err) // an *Error: a RetryTransport below has given up
	}
	if again {
		return assessment{Decision: Decision{Verdict: Retry}, reason: ReasonError}
	}
	return assessment{reason: ReasonError}
}

// bound applies the bounds of the package documentation to what the rules say.
func (p *Policy) bound(ctx context.Context, o *outcome, a assessment) action {
	switch {
	case a.Verdict != Retry:
		return action{reason: a.reason}
	case o.canceled:
		return action{reason: ReasonContext}
	case !o.replayable:
		return action{reason: ReasonBody}
	case !o.idempotent && !a.sure && !p.mayResend(o):
		return action{reason: ReasonMaybeDone}
	}
	return p.plan(ctx, o, a)
}

// plan applies the bounds on attempts, time and the Budget, and computes the wait before
// the next attempt.
func (p *Policy) plan(ctx context.Context, o *outcome, a assessment) action {
	if max(o.made, o.number) >= p.maxAttempts() {
		return action{reason: ReasonAttempts}
	}
	now := time.Now()
	wait, asked := a.Wait, max(p.askedWait(o, now), o.asked)
	if longest := max(asked, a.Wait, o.pause); longest > p.maxRetryAfter() {
		return action{reason: ReasonWait, wait: longest}
	}
	if wait == 0 {
		wait = p.backoff(o.number)
	}
	wait = max(wait, asked, o.hold, 0)
	if !p.fits(ctx, o.begun, now, wait) {
		return action{reason: ReasonWait, wait: wait}
	}
	if later := p.jittered(wait); wait == max(asked, a.Wait) && p.fits(ctx, o.begun, now, later) {
		wait = later
	}
	// After progress, a request for the remainder is not duplicate load: the budget
	// isn't charged.
	if !o.progress && !p.Budget.withdraw(o.bucket, now, p.mostRetries(), &o.lease) {
		return action{reason: ReasonBudget, wait: wait}
	}
	return action{retry: true, wait: wait, reason: a.reason}
}

// fits reports whether an attempt that begins after wait begins before the context's
// deadline, and within MaxElapsed of begun.
func (p *Policy) fits(ctx context.Context, begun, now time.Time, wait time.Duration) bool {
	if p.MaxElapsed > 0 && now.Add(wait).Sub(begun) > p.MaxElapsed {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || wait <= 0 || now.Add(wait).Before(deadline)
}

// isTooLate reports whether MaxElapsed has passed since begun. It is asked again just
// before an attempt begins, since a hook may have taken long after fits was asked.
func (p *Policy) isTooLate(begun time.Time) bool {
	return p.MaxElapsed > 0 && time.Since(begun) > p.MaxElapsed
}

// jittered returns the wait that a server asked for plus a random time of at most
// RetryAfterJitter.
func (p *Policy) jittered(wait time.Duration) time.Duration {
	if p.RetryAfterJitter <= 0 || wait <= 0 {
		return wait
	}
	most := min(p.RetryAfterJitter, math.MaxInt64-wait)
	return wait + rand.N(max(most, 1))
}

// feed pays into the Budget and the Hedge for a call that ends well: its response
// is kept because no rule counts it as a failure, not because a bound forbids another
// attempt.
func (p *Policy) feed(o *outcome, r action) {
	if p.Budget == nil && p.Hedge == nil || o.resp == nil || o.err != nil {
		return
	}
	if r.reason == ReasonSuccess || r.reason == ReasonAccepted || r.reason == ReasonDecision && !r.retry && !o.failedStatus(p) {
		now := time.Now()
		p.Budget.deposit(o.bucket, now)
		p.Hedge.deposit(now)
	}
}

// askedWait is the wait that the response or the error asks for. Zero means none.
func (p *Policy) askedWait(o *outcome, now time.Time) time.Duration {
	if p.IgnoreRetryAfter {
		return 0
	}
	if o.resp != nil && o.err == nil {
		d, _ := retryafter.Wait(o.resp.Header, now)
		return d
	}
	asks, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](o.err)
	if !ok {
		return 0
	}
	return asks.RetryAfter()
}

// expectationFailed reports whether the server refused the request's Expect header by a
// 417. The request is then retried without it (RFC 9110, section 10.1.1).
func expectationFailed(req *http.Request, resp *http.Response) bool {
	_, expects := req.Header["Expect"]
	return expects && resp.StatusCode == http.StatusExpectationFailed
}

// pauseAsked returns the pause that an attempt's result asks of all calls; zero means
// none. a is what the rules say about the attempt.
func (p *Policy) pauseAsked(o *outcome, a assessment) time.Duration {
	asked := max(a.Wait, 0)
	if o.err != nil || o.resp == nil || o.resp.StatusCode == http.StatusTooManyRequests ||
		o.resp.StatusCode == http.StatusServiceUnavailable {
		asked = max(asked, p.askedWait(o, time.Now()))
	}
	return asked
}

// ruleResult is the result of a rule in the user's Policy. Each rule is asked once per
// attempt.
type ruleResult uint8

const (
	notAsked ruleResult = iota
	yes
	no
)

func resultOf(b bool) ruleResult {
	if b {
		return yes
	}
	return no
}

// mayResend applies NonIdempotent: it reports whether a request that is not idempotent
// may be resent after this outcome.
func (p *Policy) mayResend(o *outcome) bool {
	switch {
	case p.NonIdempotent == ResendEvenIfLost:
		return true
	case o.err != nil:
		return o.unsent
	case p.NonIdempotent == ResendOnlyUnsent:
		return didNothing(o.resp)
	}
	return true
}

// guards reports whether a request must not be sent a second time once its response was
// lost.
func (p *Policy) guards(idempotent bool) bool {
	return !idempotent && p.NonIdempotent != ResendEvenIfLost
}

func (p *Policy) idempotent(req *http.Request) bool {
	if p.Idempotent != nil {
		return p.Idempotent(req)
	}
	return IsIdempotent(req)
}

// now returns the time, or the zero time if it is not wanted: reading the clock is not
// free.
func now(wanted bool) (t time.Time) {
	if wanted {
		t = time.Now()
	}
	return t
}
