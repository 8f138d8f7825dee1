package insist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errAttemptTimeout is the error of an attempt that PerAttemptTimeout ended. Like
// net/http's own timeouts it matches context.DeadlineExceeded, though the
// caller's context is alive.
var errAttemptTimeout error = attemptTimeout{}

type attemptTimeout struct{}

func (attemptTimeout) Error() string        { return "insist: attempt timed out" }
func (attemptTimeout) Timeout() bool        { return true }
func (attemptTimeout) Temporary() bool      { return true } // as net/http's
func (attemptTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

// timeLimit bounds one attempt. The zero value bounds nothing, and costs nothing.
type timeLimit struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer // nil when the clock has been stopped
	late   bool        // it was too late for that
}

// limitTime returns a limit whose context ends after d.
func limitTime(ctx context.Context, d time.Duration) timeLimit {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(errAttemptTimeout) })
	return timeLimit{ctx: ctx, cancel: cancel, timer: timer}
}

// stop stops the clock, and reports whether it was too late for that. The context
// goes on if it was not.
func (l *timeLimit) stop() (late bool) {
	if l.timer != nil {
		l.late = !l.timer.Stop()
		l.timer = nil
	}
	return l.late
}

// end ends the context, which must not be forgotten: its parent would keep it.
func (l *timeLimit) end() {
	if l.stop(); l.cancel != nil {
		l.cancel(nil)
	}
}

// keep stops the clock for good. The context ends with resp's body.
func (l *timeLimit) keep(resp *http.Response) {
	switch {
	case l.cancel == nil:
	case resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols:
		l.end() // what a 101 leaves behind is the connection, no longer the context's
	default:
		l.stop()
		resp.Body = &limitedBody{resp.Body, l.cancel}
	}
}

// limitedBody ends its attempt's context when nobody reads it any more.
type limitedBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.cancel(nil)
	}
	return n, err
}

func (b *limitedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// limited returns fn with a time limit on each call. The context ends when fn
// returns, but a response that fn returns can be read to its end.
func limited[T any](d time.Duration, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (v T, err error) {
		l := limitTime(ctx, d)
		kept := false
		defer func() {
			if !kept {
				l.end()
			}
		}()
		v, err = fn(l.ctx)
		if resp, ok := any(v).(*http.Response); ok && resp != nil && err == nil {
			l.keep(resp)
			kept = true
		}
		return v, l.explain(ctx, err)
	}
}

// explain returns err, or, where the limit brought it about and it does not tell,
// one that does.
func (l *timeLimit) explain(parent context.Context, err error) error {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || parent.Err() != nil || !l.stop() {
		return err
	}
	return errors.Join(errAttemptTimeout, err)
}
