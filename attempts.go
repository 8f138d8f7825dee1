package insist

import (
	"context"
	"iter"
	"time"

	"github.com/seed-552c89fc/insist/internal/funcid"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Attempts is Do for a block of code: the loop's body runs until a run reports no
// failure, or the policy says stop.
//
//	tries, failed := insist.Attempts(ctx, policy)
//	for try := range tries {
//		try.Fail(publish(try.Context(), message))
//	}
//	if err := failed(); err != nil {
//
// If the body reports a failure by Fail, and the policy retries that error as Do without
// retryIf would, the body runs again after the wait. If the body leaves the loop (break,
// return), it does not. After the loop, failed returns nil on success, else the error
// that Do would return. Within the body, failed returns what the body has reported so
// far. If the body panics, the panic passes through, and failed returns what the body
// had reported. Each range over tries is a new call. tries must not be used by several
// goroutines at once.
func Attempts(ctx context.Context, p Policy) (tries iter.Seq[*Try], failed func() error) {
	var err error
	var current *Try // whose body runs
	tries = func(yield func(*Try) bool) {
		err = nil
		outer, ended := current, false // outer is not nil if this loop is in the body of another loop over tries
		var try *Try
		defer func() {
			if current = outer; try != nil && !ended { // the body panicked, or ended its goroutine
				err = try.failure()
			}
		}()
		if p.Disabled {
			try = &Try{ctx: ctx, number: 1}
			current = try
			yield(try)
			err, ended = try.err, true
			return
		}
		if ctx.Err() != nil {
			err = notBegun(ctx)
			return
		}
		l := loop{ctx: ctx, bucket: p.functionKey(funcid.Of(yield)), begun: now(p.MaxElapsed > 0), reporter: newReporter(ctx, contextValueOf(ctx), &p)}
		l.hold.cooldown = p.cooldownOfFunction()
		if e := l.holdBack(&p); e != nil {
			err = e
			return
		}
		l.reporter.begin()
		for on := true; on; {
			try = &Try{ctx: ctx, number: l.number + 1}
			current = try
			if stay := try.run(yield, p.PerAttemptTimeout); stay {
				on = l.again(&p, try.err, false)
			} else {
				l.leave(&p, try.err)
				on = false
			}
		}
		err, ended = l.err, true
	}
	return tries, func() error {
		if current != nil { // called within the body
			return current.failure()
		}
		return err
	}
}

// leave ends the call after the body has left the loop.
func (l *loop) leave(p *Policy, err error) {
	if err == nil {
		l.again(p, nil, false)
		return
	}
	l.number++
	o := outcome{number: l.number, err: err, held: l.held}
	l.hold.begin(nil, p.Name, p.pauseAsked(&o, assessment{}))
	l.reporter.report(&o, action{reason: ReasonDecision})
	l.fail(ReasonDecision, err, false)
}

// Try is one run of the body of a loop over Attempts.
type Try struct {
	ctx    context.Context
	number int
	err    error
}

// run runs the body once, with a time limit of d if that is positive.
func (t *Try) run(body func(*Try) bool, d time.Duration) (stay bool) {
	if d <= 0 {
		return body(t)
	}
	parent, limit := t.ctx, wait.NewDeadline(t.ctx, d)
	defer limit.End()
	t.ctx = limit.Context()
	stay = body(t)
	t.err = limit.Explain(parent, t.err)
	return stay
}

// failure is what failed returns while the try runs: the error that the call ends with
// if the body leaves the loop now.
func (t *Try) failure() error {
	if t.err == nil || t.number == 1 {
		return t.err
	}
	return &Error{Attempts: t.number, Reason: ReasonDecision, Err: t.err}
}

// Context returns the context for what the body does. With PerAttemptTimeout it
// ends when the body does.
func (t *Try) Context() context.Context { return t.ctx }

// Number counts the tries from 1.
func (t *Try) Number() int { return t.number }

// Fail reports that this try failed with err; it does not end the body. A nil err
// reports nothing. Of several reports the last one counts.
func (t *Try) Fail(err error) {
	if err != nil {
		t.err = err
	}
}
