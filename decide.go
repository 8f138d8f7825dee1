package insist

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/retryafter"
)

// outcome is what one attempt came to, as far as the rules care. It has a
// response and an error where a response's body broke off: then the error counts.
type outcome struct {
	number     int
	req        *http.Request  // the caller's
	resp       *http.Response // nil if none came
	err        error
	host       string
	begun      time.Time // when the call did, if MaxElapsed asks for it
	ended      bool      // the caller's context has ended
	badBody    bool      // err is the caller's own: its request body failed
	whole      bool      // the request body can be sent again in full
	idempotent bool
	unsent     bool // it is proven that the server can't have acted on it
	progress   bool // the answer broke off, and what came of it is kept
}

// ruling is what follows from an outcome.
type ruling struct {
	retry  bool
	wait   time.Duration
	reason Reason
}

// opinion is what the rules think of an outcome, before anything bounds it.
type opinion struct {
	Decision
	reason Reason
	sure   bool // Classify said so: NonIdempotent is not asked
	open   bool // the body is to be asked, too
}

// judge asks what forbids another attempt and then the rules, in their order.
// It does no I/O and keeps no state; nor does bound, which has the second word,
// but that it draws on the Budget.
// The documentation of the package has both as tables.
func (p *Policy) judge(o *outcome) opinion {
	switch {
	case o.badBody:
		return opinion{reason: ReasonBody}
	case o.ended && o.err != nil:
		return opinion{reason: ReasonContext}
	}
	var d Decision
	resp := o.resp
	if o.err != nil {
		resp = nil
	}
	if p.Classify != nil && !o.ended {
		d = p.Classify(o.req, resp, o.err, o.number)
		if d.Verdict == Retry || d.Verdict == Stop {
			return opinion{Decision: d, reason: ReasonDecision, sure: true}
		}
	}
	var op opinion
	if resp != nil {
		op = p.judgeResponse(o.req, resp)
	} else {
		op = p.judgeError(o.err)
	}
	if d.Wait != 0 {
		op.Wait = d.Wait
	}
	return op
}

func (p *Policy) judgeResponse(req *http.Request, resp *http.Response) opinion {
	if resp.StatusCode < 200 { // 101 has left HTTP, and no other 1xx ends an exchange
		return opinion{reason: ReasonSuccess}
	}
	if v := shouldRetry(resp.Header); v != unknown {
		return opinion{Decision: Decision{Verdict: v}, reason: ReasonDecision}
	}
	if expectationFailed(req, resp) {
		return opinion{Decision: Decision{Retry, -1}, reason: ReasonStatus}
	}
	if p.retryableStatus(resp.StatusCode) {
		return opinion{Decision: Decision{Verdict: Retry}, reason: ReasonStatus, open: p.RetryableBody != nil}
	}
	return opinion{reason: ReasonSuccess, open: p.RetryableBody != nil}
}

// after returns what the rules think once a condition has seen the body. Where
// the status has failed already, the body can still say how long to wait.
func (op opinion) after(d Decision) opinion {
	if op.Verdict != Retry && d.Verdict == Retry {
		op.Verdict, op.reason = Retry, ReasonCondition
	}
	if d.Wait != 0 {
		op.Wait = d.Wait
	}
	return op
}

// judgeError is a transport's view. A function's differs in what it defaults to.
func (p *Policy) judgeError(err error) opinion {
	again := false
	switch {
	case err == nil || ErrorAs[*permanentError](err):
	case p.RetryableError != nil:
		again = p.RetryableError(err)
	default:
		again = !isPermanent(err)
	}
	if again {
		return opinion{Decision: Decision{Verdict: Retry}, reason: ReasonError}
	}
	return opinion{reason: ReasonError}
}

// bound holds what the rules want against what bounds them.
func (p *Policy) bound(ctx context.Context, o *outcome, op opinion) ruling {
	switch {
	case op.Verdict != Retry:
		return ruling{reason: op.reason}
	case o.ended:
		return ruling{reason: ReasonContext}
	case !o.whole:
		return ruling{reason: ReasonBody}
	case !o.idempotent && !op.sure && !p.mayResend(o):
		return ruling{reason: ReasonMaybeDone}
	}
	return p.plan(ctx, o, op)
}

// plan holds an attempt that the rules want against the bounds on attempts and
// time, and finds the wait before it.
func (p *Policy) plan(ctx context.Context, o *outcome, op opinion) ruling {
	if o.number >= p.maxAttempts() {
		return ruling{reason: ReasonAttempts}
	}
	now := time.Now()
	wait, asked := op.Wait, o.askedWait(now)
	if longest := max(asked, op.Wait); longest > p.maxRetryAfter() {
		return ruling{reason: ReasonWait, wait: longest}
	}
	if wait == 0 {
		wait = p.backoff(o.number)
	}
	wait = max(wait, asked, 0)
	if p.MaxElapsed > 0 && now.Add(wait).Sub(o.begun) > p.MaxElapsed {
		return ruling{reason: ReasonWait, wait: wait}
	}
	if deadline, ok := ctx.Deadline(); ok && wait > 0 && !now.Add(wait).Before(deadline) {
		return ruling{reason: ReasonWait, wait: wait}
	}
	if !o.progress && !p.Budget.withdraw(o.host, now) { // asking for the rest is no load twice
		return ruling{reason: ReasonBudget, wait: wait}
	}
	return ruling{retry: true, wait: wait, reason: op.reason}
}

// feed puts into the budget what an attempt that went well is worth: one whose
// response is kept, and not for want of a better one.
func (p *Policy) feed(o *outcome, r ruling) {
	if p.Budget == nil || o.resp == nil || o.err != nil {
		return
	}
	if r.reason == ReasonSuccess || r.reason == ReasonDecision && !r.retry && !p.retryableStatus(o.resp.StatusCode) {
		p.Budget.deposit(o.host, time.Now())
	}
}

// askedWait is the wait that the response or the error asks for.
func (o *outcome) askedWait(now time.Time) time.Duration {
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
