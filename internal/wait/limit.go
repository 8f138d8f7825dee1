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
// context has not ended.
type AttemptTimeout struct{ After time.Duration }

func (e AttemptTimeout) Error() string   { return "insist: attempt timed out after " + e.After.String() }
func (e AttemptTimeout) Timeout() bool   { return true }
func (e AttemptTimeout) Temporary() bool { return true } // as net/http's
func (e AttemptTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded || target == ErrAttemptTimeout
}

// Limit is the context of one attempt. It can be canceled, and may have a time limit
// after which it ends by itself. The zero value has no context.
type Limit struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  *time.Timer // nil if there is no time limit, or its timer was stopped
	late   bool        // the timer had fired before it was stopped
}

// NewLimit returns a limit whose context ends after d. Zero or negative means no time
// limit. Either End must be called, or the body that Body returned must be read to its
// end or closed; otherwise the parent, ctx, keeps a reference to the context.
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

// Context returns the attempt's context.
func (l *Limit) Context() context.Context { return l.ctx }

// Cancel returns the function that ends the context, or nil if l has no context.
func (l *Limit) Cancel() context.CancelCauseFunc { return l.cancel }

// Stop stops the timer and reports whether it had already fired. If not, the context has
// no time limit any more.
func (l *Limit) Stop() (late bool) {
	if l.timer != nil {
		l.late = !l.timer.Stop()
		l.timer = nil
	}
	return l.late
}

// Err returns the error of an attempt that the limit ended.
func (l *Limit) Err() error { return AttemptTimeout{l.after} }

// End stops the timer and ends the context.
func (l *Limit) End() {
	if l.Stop(); l.cancel != nil {
		l.cancel(nil)
	}
}

// Body stops the timer and wraps body: the end of the body, or its Close, ends the
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

// Close ends the context first: a Read in flight may hold a lock for which Close waits,
// as in net/http's gzip reader.
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
