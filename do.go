package insist

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/funcid"
	"github.com/seed-552c89fc/insist/internal/respbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Do calls fn until it succeeds or the policy says stop. It always returns both the
// value and the error of the last call. Use it for what is not HTTP: a database call, a
// check in a test, a call of an SDK with all its requests. If the values are of type
// *http.Response, a response that another attempt replaces is closed; the last one is
// the caller's to close.
//
// A call has failed when it returns an error, or a value for which one of the
// retryIf functions reports true; nil ones are left out. These failures are retried:
//
//   - without retryIf, every error, or those that p.RetryableError accepts;
//   - with retryIf, the values it reports, and of the errors only those that
//     p.RetryableError accepts: none, if that is nil;
//   - never an error that Permanent marks, and nothing once ctx has ended.
//
// An error with a method RetryAfter() time.Duration sets the wait, as a server's
// Retry-After does.
//
// After one call, its error is returned as it is. After more calls, for a value that
// retryIf reported, and if ctx has ended, the error is an *Error. It matches the last
// call's error and, if ctx has ended, ctx.Err() and the context's cause. If ctx has
// ended before the first call, fn is not called. A panic passes through.
//
// If fn sends requests by a RetryTransport, the attempts multiply: 3 attempts of Do with
// 3 each make 9 requests. To have only Do retry, give fn's requests a context from
// EditPolicy with Disabled set. To have only the transport retry, call fn without Do.
func Do[T any](ctx context.Context, p Policy, fn func(context.Context) (T, error), retryIf ...func(T) bool) (T, error) {
	if p.eventful() || ctx.Err() != nil || ctx.Value(contextKey{}) != nil {
		return doEventful(ctx, &p, funcid.Of(fn), fn, retryIf)
	}
	v, err := fn(ctx)
	rejected := err == nil && len(retryIf) > 0 && reports(retryIf, v)
	if err == nil && !rejected {
		return v, nil // the usual call: there is nothing to set up
	}
	return doAgain(&loop{ctx: ctx}, &p, fn, retryIf, v, err, rejected)
}

// eventful reports whether p has something done even if the first call succeeds: a time
// limit, a budget, a report, a hold. The same goes for a context that has ended, or holds
// a value of ours. Callers check that themselves, since a function that calls a context's
// methods is not inlined.
func (p *Policy) eventful() bool {
	return p.Disabled || p.PerAttemptTimeout > 0 || p.MaxElapsed > 0 || p.Budget != nil || p.OnAttempt != nil ||
		p.Cooldown != nil && p.Name != ""
}

// doEventful is Do for the calls that are eventful. code identifies the function that
// the caller gave: fn may be a literal of ours that calls it.
func doEventful[T any](ctx context.Context, p *Policy, code uintptr, fn func(context.Context) (T, error), retryIf []func(T) bool) (T, error) {
	if p.Disabled {
		return fn(ctx)
	}
	if ctx.Err() != nil {
		var none T
		return none, notBegun(ctx)
	}
	if p.PerAttemptTimeout > 0 {
		fn = limited(p.PerAttemptTimeout, fn)
	}
	l := loop{ctx: ctx, bucket: p.functionKey(code), begun: now(p.MaxElapsed > 0), reporter: newReporter(ctx, contextValueOf(ctx), p)}
	l.hold.cooldown = p.cooldownOfFunction()
	if e := l.holdBack(p); e != nil {
		var none T
		return none, e
	}
	l.reporter.begin()
	first := ctx
	if contextValueOf(ctx).isAttempt() {
		first = l.attemptContext() // else AttemptNumber would return the number of the attempt around this call
	}
	v, err := fn(first)
	return doAgain(&l, p, fn, retryIf, v, err, err == nil && reports(retryIf, v))
}

// doAgain continues after the first call, whose result is v, err and rejected. The
// conditions are asked only once about each value, since they may read a body.
func doAgain[T any](l *loop, p *Policy, fn func(context.Context) (T, error), retryIf []func(T) bool, v T, err error, rejected bool) (T, error) {
	l.conditioned = slices.ContainsFunc(retryIf, func(c func(T) bool) bool { return c != nil })
	open := true
	defer func() {
		if open { // a hook panicked, so the caller won't get v
			closeValue(v)
		}
	}()
	for l.again(p, err, rejected) {
		open = false
		discardValue(l.ctx, v)
		v, err = fn(l.attemptContext())
		rejected = err == nil && reports(retryIf, v)
		open = true
	}
	open = false
	return v, l.err
}

// discardValue closes a response that another attempt replaces. As in the transport, it
// is drained first, so that its connection can be used again.
func discardValue[T any](ctx context.Context, v T) {
	if resp, ok := any(v).(*http.Response); ok {
		respbody.Attempt{Waiter: wait.ForContext(ctx)}.Discard(resp, true, 0, new(wait.Timer))
	}
}

// attemptContext returns the context of the next attempt, from which AttemptNumber reads
// the number. The first attempt has the caller's own context, unless that belongs to an
// attempt of its own.
func (l *loop) attemptContext() context.Context {
	return &contextValue{Context: l.ctx, outer: contextValueOf(l.ctx), what: functionAttempt(l.number + 1)}
}

// closeValue closes v if it is a response. It is for values that are not returned.
func closeValue[T any](v T) {
	if resp, ok := any(v).(*http.Response); ok && resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
}

func reports[T any](conditions []func(T) bool, v T) bool {
	return len(conditions) > 0 && reportsAny(conditions, v)
}

// reportsAny reports whether one of the conditions reports v. If one panics, it closes v.
func reportsAny[T any](conditions []func(T) bool, v T) bool {
	asked := false
	defer func() {
		if !asked {
			closeValue(v)
		}
	}()
	for _, c := range conditions {
		if c != nil && c(v) {
			asked = true
			return true
		}
	}
	asked = true
	return false
}

// Run is shorthand for Do with a function that returns only an error.
func Run(ctx context.Context, p Policy, fn func(context.Context) error) error {
	bound := func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
	if p.eventful() || ctx.Err() != nil || ctx.Value(contextKey{}) != nil {
		_, err := doEventful(ctx, &p, funcid.Of(fn), bound, nil)
		return err
	}
	err := fn(ctx)
	if err == nil {
		return nil
	}
	_, err = doAgain(&loop{ctx: ctx}, &p, bound, nil, struct{}{}, err, false)
	return err
}

// Func returns a function of the same type as fn, which calls fn as Do does. Use it to
// decide in one place how all calls of fn are retried. fn may be a method value:
//
//	get := insist.Func(policy, store.Get)
//
// If a function has more arguments, or none, wrap it in a literal of this type; or call
// it by Do, in a literal that captures the arguments.
func Func[A, T any](p Policy, fn func(context.Context, A) (T, error), retryIf ...func(T) bool) func(context.Context, A) (T, error) {
	return func(ctx context.Context, a A) (T, error) {
		// The same as Do, but without a copy of the policy for each call.
		bound := func(ctx context.Context) (T, error) { return fn(ctx, a) }
		if p.eventful() || ctx.Err() != nil || ctx.Value(contextKey{}) != nil {
			return doEventful(ctx, &p, funcid.Of(fn), bound, retryIf)
		}
		v, err := fn(ctx, a)
		rejected := err == nil && len(retryIf) > 0 && reports(retryIf, v)
		if err == nil && !rejected {
			return v, nil
		}
		return doAgain(&loop{ctx: ctx}, &p, bound, retryIf, v, err, rejected)
	}
}

// loop is what Do and Attempts have in common. The policy is not in it, so that
// Do's stays on the stack.
type loop struct {
	ctx         context.Context
	conditioned bool // there is a condition on the result
	reporter    reporter
	hold        hold          // the call's place in the Cooldown
	held        time.Duration // how long the Cooldown held the last attempt back
	bucket      bucketKey     // in the Budget
	lease       bucket.Lease
	begun       time.Time // when Do began; zero if MaxElapsed is not set
	number      int       // how many attempts have ended
	err         error
}

// notBegun is the error for a context that has ended before the first call.
func notBegun(ctx context.Context) *Error {
	return &Error{Reason: ReasonContext, Cause: context.Cause(ctx), ctxErr: ctx.Err()}
}

// again decides on an attempt that has ended, and waits. It reports whether another
// attempt follows. If none does, l.err is the error to return.
func (l *loop) again(p *Policy, err error, rejected bool) bool {
	l.number++
	if err == nil && !rejected {
		l.err = nil
		p.Budget.deposit(l.bucket, now(p.Budget != nil))
		if l.reporter.isOn() {
			l.reporter.report(&outcome{number: l.number, held: l.held}, action{reason: ReasonSuccess})
		}
		return false
	}
	o := outcome{number: l.number, err: err, bucket: l.bucket, lease: l.lease, held: l.held, begun: l.begun, canceled: l.ctx.Err() != nil}
	if l.hold.cooldown != nil && err != nil {
		l.hold.begin(nil, p.Name, p.pauseAsked(&o, assessment{}))
		o.hold, o.pause = l.hold.until(nil, p.Name)
	}
	r := p.decideCall(l.ctx, &o, rejected, l.conditioned)
	l.lease = o.lease
	l.reporter.report(&o, r)
	if !r.retry {
		l.fail(r.reason, err, rejected)
		return false
	}
	if !wait.ForContext(l.ctx).Pause(r.wait) {
		l.reporter.amend(ReasonContext)
		l.fail(ReasonContext, err, rejected)
		return false
	}
	if l.hold.cooldown != nil {
		if e := l.holdBack(p); e != nil {
			l.reporter.amend(e.Reason)
			e.Attempts, e.Err, e.rejected = l.number, err, rejected
			l.err = e
			return false
		}
	}
	if p.isTooLate(l.begun) {
		l.reporter.amend(ReasonWait)
		l.fail(ReasonWait, err, rejected)
		return false
	}
	l.reporter.begin()
	return true
}

// cooldownOfFunction returns the Cooldown for a function. It is nil if the function has
// no name, since the name is the key.
func (p *Policy) cooldownOfFunction() *Cooldown {
	if p.Name == "" {
		return nil
	}
	return p.Cooldown
}

// fail sets the error to return: that of the last attempt, or an *Error.
func (l *loop) fail(why Reason, err error, rejected bool) {
	if l.number == 1 && !rejected && why != ReasonContext {
		l.err = err
		return
	}
	e := &Error{Attempts: l.number, Reason: why, Err: err, rejected: rejected}
	if why == ReasonContext {
		e.Cause, e.ctxErr = context.Cause(l.ctx), l.ctx.Err()
	}
	l.err = e
}

// decideCall is assess and bound for a function. conditioned says that there is a
// condition on the value. By default all errors are retried, or none if conditioned;
// RetryableError replaces that default.
func (p *Policy) decideCall(ctx context.Context, o *outcome, rejected, conditioned bool) action {
	if o.canceled {
		return action{reason: ReasonContext}
	}
	if rejected {
		return p.plan(ctx, o, assessment{reason: ReasonCondition})
	}
	again := !conditioned
	if p.RetryableError != nil {
		again = p.RetryableError(o.err)
	}
	if !again || ErrorAs[*permanentError](o.err) {
		return action{reason: ReasonError}
	}
	return p.plan(ctx, o, assessment{reason: ReasonError})
}

// limited returns fn with a time limit on each call. fn's context ends when fn returns.
// But if fn returns a response in time, the context lasts until that has been read. If
// it returns a response too late, the response is closed: its body is already canceled.
func limited[T any](d time.Duration, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (v T, err error) {
		l := limitFor[T](ctx, d)
		kept := false
		defer func() {
			if !kept {
				l.End()
			}
		}()
		v, err = fn(l.Context())
		resp, ok := any(v).(*http.Response)
		switch {
		case !ok || resp == nil || resp.Body == nil || err != nil:
		case l.Stop():
			resp.Body.Close()
			var none T
			return none, l.Err()
		case resp.StatusCode == http.StatusSwitchingProtocols: // the connection no longer depends on the context
		default:
			resp.Body = l.Body(resp.Body)
			kept = true
		}
		return v, l.Explain(ctx, err)
	}
}

// limitFor returns the limit of a function that returns a T. That of one that returns a
// response has no deadline, since the response is to be read after it.
func limitFor[T any](ctx context.Context, d time.Duration) wait.Limit {
	var v T
	if _, ok := any(v).(*http.Response); ok {
		return wait.NewLimit(ctx, d)
	}
	return wait.NewDeadline(ctx, d)
}

// holdBack is call.holdBack for a function.
func (l *loop) holdBack(p *Policy) *Error {
	for l.held = 0; ; {
		most, pause := l.hold.until(nil, p.Name)
		switch {
		case most <= 0:
			return nil
		case pause > p.maxRetryAfter() || !p.fits(l.ctx, l.begun, time.Now(), most):
			return &Error{Reason: ReasonCooldown, Until: time.Now().Add(pause)}
		case !wait.ForContext(l.ctx).Pause(most):
			return notBegun(l.ctx)
		}
		l.held += most
	}
}
