package insist

import (
	"context"
	"time"
)

// pause waits for d and reports whether it could: false means that ctx ended or
// that canceled (http.Request.Cancel, by which http.Client enforces its Timeout
// on RoundTrippers it doesn't know) was closed. It is the only place that waits.
func pause(ctx context.Context, canceled <-chan struct{}, d time.Duration) bool {
	if ended(ctx, canceled) {
		return false
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-canceled:
	}
	return !ended(ctx, canceled)
}

// ended reports whether the caller has lost interest. Errors can't tell: with a
// cause net/http returns only the cause, and its own timeouts match
// context.DeadlineExceeded while the context is alive.
func ended(ctx context.Context, canceled <-chan struct{}) bool {
	select {
	case <-canceled:
		return true
	default:
		return ctx.Err() != nil
	}
}
