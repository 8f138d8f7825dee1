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

// Do calls fn until it succeeds or the policy says stop, and returns the last
// call's value and error, always both. Use it for what is not HTTP: a database
// call, a check in a test, a whole call of an SDK. Where the values are
// *http.Response, one that another attempt replaces is closed; the last one is the
// caller's.
//
// A call has failed when it returns an error, or a value for which one of the
// retryIf functions reports true; nil ones are left out. These failures are retried:
//
//   - without retryIf, every error, or those that p.RetryableError accepts;
//   - with retryIf, the values it reports, and of the errors only those that
//     p.RetryableError accepts: none, if that is nil;
//   - never what Permanent marks, nor anything once ctx has ended.
//
// An error with a method RetryAfter() time.Duration sets the wait, as a server's
// Retry-After does.
//
// After one call, its error is returned as it is. After more calls, for a value
// that retryIf reported, and where ctx has ended, the error is an *Error. It
// matches the last call's error and, where ctx has ended, ctx.Err() and the
// context's cause. If ctx has ended before the first call, fn is not called. A
// panic passes through.
//
// The retries of a RetryTransport inside fn multiply with these: 3 attempts of 3
// make 9 requests. To leave them to Do, give fn's requests a context from
// EditPolicy with Disabled set; to leave them to the transport, call fn without
// Do.
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

// eventful reports whether a call that succeeds at once is more than the call. So it is
// also where ctx has ended, or holds a value of ours; callers look themselves, since what
// asks a context is not inlined.
func (p *Policy) eventful() bool {
	return p.Disabled || p.PerAttemptTimeout > 0 || p.MaxElapsed > 0 || p.Budget != nil || p.OnAttempt != nil ||
		p.Cooldown != nil && p.Name != ""
}

// doEventful is Do for the other calls. code tells the function apart that the caller
// gave, of which fn may be made.
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
	l := loop{ctx: ctx, bucket: p.functionKey(code), begun: now(p.MaxElapsed > 0), reporter: newReporter(ctx, contextValueOf(ctx), p, time.Time{})}
	l.hold.cooldown = p.cooldownOfFunction()
	if e := l.holdBack(p); e != nil {
		var none T
		return none, e
	}
	l.reporter.begin()
	v, err := fn(ctx)
	return doAgain(&l, p, fn, retryIf, v, err, err == nil && reports(retryIf, v))
}

// doAgain goes on from the first call. The conditions are asked once about each value:
// they may read a body.
func doAgain[T any](l *loop, p *Policy, fn func(context.Context) (T, error), retryIf []func(T) bool, v T, err error, rejected bool) (T, error) {
	l.conditioned = slices.ContainsFunc(retryIf, func(c func(T) bool) bool { return c != nil })
	open := true
	defer func() {
		if open { // a hook panicked: the caller won't have v
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

// discardValue closes a response that another attempt replaces, as the transport
// does; its connection could not be used otherwise.
func discardValue[T any](ctx context.Context, v T) {
	if resp, ok := any(v).(*http.Response); ok {
		respbody.Attempt{Waiter: wait.ForContext(ctx)}.Discard(resp, 0, new(wait.Timer))
	}
}

// attemptContext returns the context of the next attempt, by which AttemptNumber
// knows it. The first attempt has the caller's own.
func (l *loop) attemptContext() context.Context {
	return &contextValue{Context: l.ctx, outer: contextValueOf(l.ctx), what: functionAttempt(l.number + 1)}
}

// closeValue closes a response that nobody will have.
func closeValue[T any](v T) {
	if resp, ok := any(v).(*http.Response); ok && resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
}

func reports[T any](conditions []func(T) bool, v T) bool {
	return len(conditions) > 0 && reportsAny(conditions, v)
}

// reportsAny asks the conditions. Where one panics, a response is closed.
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

// Func returns fn as a function of the same type that is called by Do. Use it to
// decide once, where fn is defined, how all its calls are retried; a method
// value will do, too:
//
//	get := insist.Func(policy, store.Get)
//
// Put a function with more arguments, or none, into a literal of this form; or
// call it by Do, in a literal that captures the arguments.
func Func[A, T any](p Policy, fn func(context.Context, A) (T, error), retryIf ...func(T) bool) func(context.Context, A) (T, error) {
	return func(ctx context.Context, a A) (T, error) {
		// As Do, but that it doesn't copy the policy for each call.
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
	hold        hold          // by the Cooldown
	held        time.Duration // of the call, by it
	bucket      bucketKey     // in the Budget
	lease       bucket.Lease
	begun       time.Time // if MaxElapsed asks for it
	number      int       // of calls that have ended
	err         error
}

func now(wanted bool) (t time.Time) {
	if wanted {
		t = time.Now()
	}
	return t
}

// notBegun is the error for a context that has ended before the first call.
func notBegun(ctx context.Context) *Error {
	return &Error{Reason: ReasonContext, Cause: context.Cause(ctx), ctxErr: ctx.Err()}
}

// again judges a call and waits. It reports whether there is another; if not,
// err is what remains of the failure.
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
		l.hold.begin(&o, p.Name, p.pauseAsked(&o, assessment{}))
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

// cooldownOfFunction is the Cooldown of a function, which needs a name to have one.
func (p *Policy) cooldownOfFunction() *Cooldown {
	if p.Name == "" {
		return nil
	}
	return p.Cooldown
}

// fail makes err of the last call's.
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

// decideCall is decide for a function. Its errors are retried as in aomaker: all
// of them, unless there is a condition of either kind.
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

// limited returns fn with a time limit on each call. The context ends when fn
// returns, but a response that fn returns in time can be read to its end. One that
// it returns later is closed: its body has ended with the context.
func limited[T any](d time.Duration, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (v T, err error) {
		l := wait.NewLimit(ctx, d)
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
