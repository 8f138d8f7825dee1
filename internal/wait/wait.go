// Package wait is where insist waits, and what limits an attempt in time. No wait
// outlives the caller's interest in the call, and no timer outlives its wait.
package wait

//lint:file-ignore SA1019 http.Client's Timeout closes Request.Cancel

import (
	"context"
	"net/http"
	"time"
)

// Waiter is the party that waits for a call: its context and, for a request, the
// channel by which http.Client enforces its Timeout on RoundTrippers that are not
// net/http's own.
type Waiter struct {
	ctx      context.Context
	canceled <-chan struct{}
}

// ForRequest returns the waiter of req.
func ForRequest(req *http.Request) Waiter { return Waiter{req.Context(), req.Cancel} }

// ForContext returns the waiter of a function that was given ctx.
func ForContext(ctx context.Context) Waiter { return Waiter{ctx: ctx} }

// Canceled reports whether the caller no longer wants the result. Errors can't
// tell: net/http returns only the cause of a context that has one, and its own
// timeouts match context.DeadlineExceeded while the context is alive.
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

// Await waits until done is closed or has something, for d at most, and no longer than
// the caller does. It reports whether done was.
func (w Waiter) Await(done <-chan struct{}, d time.Duration) bool {
	var t Timer
	return w.AwaitBy(&t, done, d)
}

// Timer is what several waits, one after the other, share: making one costs more than
// waiting. The zero value is ready for use.
type Timer struct{ timer *time.Timer }

// AwaitBy is Await, by t.
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
