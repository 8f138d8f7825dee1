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

// outcome is what one attempt came to, as far as the rules care. It has a
// response and an error where a response's body broke off: then the error counts.
type outcome struct {
	number     int
	req        *http.Request  // the caller's
	resp       *http.Response // nil if none came
	body       *respbody.Body // of resp, once it has been opened
	err        error
	host       string    // as the request's URL has it
	bucket     bucketKey // in the Budget
	lease      bucket.Lease
	begun      time.Time // when the call did, if MaxElapsed asks for it
	canceled   bool      // the caller's context has ended
	badBody    bool      // err is the caller's own: its request body failed
	replayable bool      // the request body can be sent again in full
	idempotent bool
	unsent     bool          // it is proven that the server can't have acted on it
	progress   bool          // the response's body was truncated, and is resumed from there
	held       time.Duration // by a Cooldown, before it began
	beside     time.Duration // see Attempt.Beside
	made       int           // attempts, those of a race included; zero means number
	hold       time.Duration // by a Cooldown, until the next one may begin
	pause      time.Duration // until the pause ends that holds it
	retired    bool          // it timed out, and its connection was taken out of use
	more       bool          // the response's body is a complete part of what it is resumed for
	status     ruleResult    // of RetryableStatus to resp
}

// failedStatus asks RetryableStatus, unless it has been asked about this attempt.
func (o *outcome) failedStatus(p *Policy) bool {
	if o.status == notAsked {
		o.status = resultOf(p.retryableStatus(o.resp.StatusCode) || p.isStandardTooLarge(o.resp))
	}
	return o.status == yes
}

// action is what follows from an outcome.
type action struct {
	retry  bool
	wait   time.Duration
	reason Reason
}

// assessment is what the rules think of an outcome, before anything bounds it.
type assessment struct {
	Decision
	reason    Reason
	sure      bool // Classify said so: NonIdempotent is not asked
	open      bool // the body is to be asked, too
	asksEvent bool // and so is the first event, if the body is an event stream
}

// assess asks what forbids another attempt and then the rules, in their order.
// It does no I/O and keeps no state; nor does bound, which has the second word,
// but that it draws on the Budget.
// The documentation of the package has both as tables.
func (p *Policy) assess(o *outcome) assessment {
	switch {
	case o.more: // no failure: what is left is asked for at once
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

// after returns what the rules think once a condition has seen the body. Where
// the status has failed already, the body can still say how long to wait.
func (a assessment) after(d Decision) assessment {
	if a.Verdict != Retry && d.Verdict == Retry {
		a.Verdict, a.reason = Retry, ReasonCondition
	}
	if d.Wait != 0 {
		a.Wait = d.Wait
	}
	return a
}

// assessError is a transport's view. A function's differs in what it defaults to.
func (p *Policy) assessError(err error) assessment {
	again := false
	switch {
	case err == nil || ErrorAs[*permanentError](err):
	case p.RetryableError != nil:
		again = p.RetryableError(err)
	default:
		again = !ErrorAs[*Error](err) && !neterr.IsPermanent(err) // an *Error: a layer below has decided
	}
	if again {
		return assessment{Decision: Decision{Verdict: Retry}, reason: ReasonError}
	}
	return assessment{reason: ReasonError}
}

// bound holds what the rules want against what bounds them.
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

// plan holds an attempt that the rules want against the bounds on attempts and
// time, and finds the wait before it.
func (p *Policy) plan(ctx context.Context, o *outcome, a assessment) action {
	if max(o.made, o.number) >= p.maxAttempts() {
		return action{reason: ReasonAttempts}
	}
	now := time.Now()
	wait, asked := a.Wait, p.askedWait(o, now)
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
	if !o.progress && !p.Budget.withdraw(o.bucket, now, p.mostRetries(), &o.lease) { // asking for the rest is no load twice
		return action{reason: ReasonBudget, wait: wait}
	}
	return action{retry: true, wait: wait, reason: a.reason}
}

// fits reports whether an attempt may begin after wait: before the context's deadline,
// and within MaxElapsed of begun.
func (p *Policy) fits(ctx context.Context, begun, now time.Time, wait time.Duration) bool {
	if p.MaxElapsed > 0 && now.Add(wait).Sub(begun) > p.MaxElapsed {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || wait <= 0 || now.Add(wait).Before(deadline)
}

// isTooLate reports whether MaxElapsed has passed since begun. An attempt that was planned
// to begin in time does not, where a hook took long meanwhile.
func (p *Policy) isTooLate(begun time.Time) bool {
	return p.MaxElapsed > 0 && time.Since(begun) > p.MaxElapsed
}

// jittered returns a wait that a server asked for, and a random time on top.
func (p *Policy) jittered(wait time.Duration) time.Duration {
	if p.RetryAfterJitter <= 0 || wait <= 0 {
		return wait
	}
	most := min(p.RetryAfterJitter, math.MaxInt64-wait)
	return wait + rand.N(max(most, 1))
}

// feed puts into the budget what an attempt that went well is worth: one whose
// response is kept, and not for want of a better one.
func (p *Policy) feed(o *outcome, r action) {
	if p.Budget == nil && p.Hedge == nil || o.resp == nil || o.err != nil {
		return
	}
	if r.reason == ReasonSuccess || r.reason == ReasonAccepted || r.reason == ReasonDecision && !r.retry && !o.failedStatus(p) {
		p.Budget.deposit(o.bucket, time.Now())
		if p.Budget == nil && p.Hedge != nil {
			p.Hedge.deposit()
		}
	}
}

// askedWait is the wait that the response or the error asks for.
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

// expectationFailed reports that the server won't have an Expect header. The
// request is to be repeated without one (RFC 9110, section 10.1.1).
func expectationFailed(req *http.Request, resp *http.Response) bool {
	_, expects := req.Header["Expect"]
	return expects && resp.StatusCode == http.StatusExpectationFailed
}
