package insist

//lint:file-ignore SA1019 http.Client's Timeout closes Request.Cancel

import (
	"context"
	"net/http"
	"time"
)

// caller is who waits for a call: a context and, for a request, the channel by
// which http.Client enforces its Timeout on RoundTrippers that it doesn't know.
type caller struct {
	ctx      context.Context
	canceled <-chan struct{}
}

func callerOf(req *http.Request) caller { return caller{req.Context(), req.Cancel} }

// gone reports whether the caller has lost interest. Errors can't tell: with a
// cause net/http returns only the cause, and its own timeouts match
// context.DeadlineExceeded while the context is alive.
func (c caller) gone() bool {
	select {
	case <-c.canceled:
		return true
	default:
		return c.ctx.Err() != nil
	}
}

// pause waits for d and reports whether the caller is still there.
func (c caller) pause(d time.Duration) bool {
	if d > 0 && !c.gone() {
		c.await(nil, d)
	}
	return !c.gone()
}

// await waits until done is closed, but for d at most, and no longer than the
// caller does. It reports whether done was closed. It is the only place that
// waits.
func (c caller) await(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-c.ctx.Done():
	case <-c.canceled:
	}
	return false
}
