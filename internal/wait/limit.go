package wait

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrAttemptTimeout is what an AttemptTimeout matches, whatever its limit.
var ErrAttemptTimeout = errors.New("insist: attempt timed out")

// AttemptTimeout is the error of an attempt that PerAttemptTimeout ended. Like
// net/http's own timeouts it matches context.DeadlineExceeded, although the caller's
// context is alive.
type AttemptTimeout struct{ After time.Duration }

func (e AttemptTimeout) Error() string   { return "insist: attempt timed out after " + e.After.String() }
func (e AttemptTimeout) Timeout() bool   { return true }
func (e AttemptTimeout) Temporary() bool { return true } // as net/http's
func (e AttemptTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded || target == ErrAttemptTimeout
}

// Limit is a context of one attempt's own, by which the attempt can be ended, and
// mostly a time after which it is. The zero value is none.
type Limit struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  *time.Timer // nil if there is no bound, or the clock has been stopped
	late   bool        // the clock was stopped after it had run out
}

// NewLimit returns a limit whose context ends after d; zero or negative means no
// bound. End must be called, or the body from Body be read to its end or closed;
// otherwise ctx keeps the context.
func NewLimit(ctx context.Context, d time.Duration) Limit {
	ctx, cancel := context.WithCancelCause(ctx)
	l := Limit{ctx: ctx, cancel: cancel, after: d}
	if d > 0 {
		l.timer = time.AfterFunc(d, func() { cancel(AttemptTimeout{d}) })
	}
	return l
}

// NewDeadline returns a limit on a function: its context has a deadline, which database
// drivers and gRPC pass on, and its Err is context.DeadlineExceeded after that. It can't
// outlive the deadline, so that Body is of no use. End must be called.
func NewDeadline(ctx context.Context, d time.Duration) Limit {
	ctx, cancel := context.WithDeadlineCause(ctx, time.Now().Add(d), AttemptTimeout{d})
	return Limit{ctx: ctx, cancel: func(error) { cancel() }, after: d}
}

// IsSet reports whether l has a context.
func (l *Limit) IsSet() bool { return l.cancel != nil }

// Context returns the context of what is bounded.
func (l *Limit) Context() context.Context { return l.ctx }

// Cancel returns what ends the context, or nil if l is not set.
func (l *Limit) Cancel() context.CancelCauseFunc { return l.cancel }

// Stop stops the clock and reports whether it had run out before. If it had not,
// the context goes on.
func (l *Limit) Stop() (late bool) {
	if l.timer != nil {
		l.late = !l.timer.Stop()
		l.timer = nil
	}
	return l.late
}

// Err returns the error of an attempt that the limit ended.
func (l *Limit) Err() error { return AttemptTimeout{l.after} }

// End stops the clock and ends the context.
func (l *Limit) End() {
	if l.Stop(); l.cancel != nil {
		l.cancel(nil)
	}
}

// Body stops the clock and returns body as one whose end, or Close, ends the
// context.
func (l *Limit) Body(body io.ReadCloser) io.ReadCloser {
	l.Stop()
	return &LimitedBody{body, l.cancel}
}

// LimitedBody is a body whose end, or Close, ends an attempt's context.
type LimitedBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *LimitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.cancel(nil)
	}
	return n, err
}

// Close ends the context first: a Read in flight may hold a lock that Close waits for,
// as net/http's reader of gzip does.
func (b *LimitedBody) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// Explain returns err or, where the limit caused it and it does not say so, an error
// that does. parent is the context that the limit was made from.
func (l *Limit) Explain(parent context.Context, err error) error {
	over := l.Stop() || context.Cause(l.ctx) == l.Err()
	switch {
	case err == nil || parent.Err() != nil || !over || errors.Is(err, ErrAttemptTimeout):
		return err
	case err == context.DeadlineExceeded || errors.Is(err, context.Canceled): // nobody canceled it
		return l.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", l.Err(), err)
}
