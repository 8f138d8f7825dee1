// Package wait contains insist's waits between attempts and the time limit of an attempt.
// It promises that a wait ends when the caller cancels the call, and that no timer
// outlives its wait.
package wait

//lint:file-ignore SA1019 http.Client's Timeout closes Request.Cancel

import (
	"context"
	"net/http"
	"time"
)

// Waiter knows whether the caller still waits for a call. It has the call's context and,
// for a request, its Cancel channel: http.Client closes that to enforce its Timeout on
// RoundTrippers that are not net/http's own.
type Waiter struct {
	ctx      context.Context
	canceled <-chan struct{}
}

// ForRequest returns the waiter of req.
func ForRequest(req *http.Request) Waiter { return Waiter{req.Context(), req.Cancel} }

// ForContext returns the waiter of a function that was given ctx.
func ForContext(ctx context.Context) Waiter { return Waiter{ctx: ctx} }

// Canceled reports whether the caller no longer wants the result. An error can't prove
// that: if a context has a cause, net/http returns only the cause, and net/http's own
// timeouts match context.DeadlineExceeded although the context has not ended.
func (w Waiter) Canceled() bool {
	if w.canceled != nil {
		select {
		case <-w.canceled:
			return true
		default:
		}
	}
	return w.ctx.Err() != nil
}

// Pause waits for d and reports whether the caller still wants the result.
func (w Waiter) Pause(d time.Duration) bool {
	if d > 0 && !w.Canceled() {
		w.Await(nil, d)
	}
	return !w.Canceled()
}

// Await waits until done is closed or holds a value, but at most for d, and no longer
// than the caller waits. It reports whether done was closed or held a value.
func (w Waiter) Await(done <-chan struct{}, d time.Duration) bool {
	var t Timer
	return w.AwaitBy(&t, done, d)
}

// Timer is shared by consecutive waits, because making a timer costs more than resetting
// one. The zero value is ready for use.
type Timer struct{ timer *time.Timer }

// AwaitBy is Await with t as the timer.
func (w Waiter) AwaitBy(t *Timer, done <-chan struct{}, d time.Duration) bool {
	if t.timer == nil {
		t.timer = time.NewTimer(d)
	} else {
		t.timer.Reset(d)
	}
	defer t.timer.Stop()
	select {
	case <-done:
		return true
	case <-t.timer.C:
	case <-w.ctx.Done():
	case <-w.canceled:
	}
	return false
}
