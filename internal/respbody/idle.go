package respbody

import (
	"context"
	"fmt"
	"io"
	"time"
)

// IdleTimeout is the error of a Read that was ended by BodyIdleTimeout. Its value is that
// time. Like net/http's own timeouts it matches context.DeadlineExceeded, although the
// caller's context has not ended.
type IdleTimeout time.Duration

func (d IdleTimeout) Error() string {
	return fmt.Sprintf("insist: the response body brought nothing for %v", time.Duration(d))
}
func (IdleTimeout) Timeout() bool        { return true }
func (IdleTimeout) Temporary() bool      { return true } // as net/http's
func (IdleTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

// BoundIdle wraps body. If a Read returns nothing for a.Idle, it fails with an
// IdleTimeout: the attempt's context is canceled, which must end body's Read. The end of
// the body, or its Close, ends the attempt's context.
func (a Attempt) BoundIdle(body io.ReadCloser) io.ReadCloser {
	return &idleBody{src: body, attempt: a}
}

type idleBody struct {
	src     io.ReadCloser
	attempt Attempt
	timer   *time.Timer // runs during a Read; nil before the first
	late    bool        // timer has ended the attempt's context
	empty   time.Time   // when Reads began to return nothing; zero if the last one returned bytes
}

func (b *idleBody) Read(p []byte) (n int, err error) {
	if b.late {
		return 0, IdleTimeout(b.attempt.Idle)
	}
	if !b.start() {
		b.late = true
		b.attempt.end()
		return 0, IdleTimeout(b.attempt.Idle)
	}
	for range maxReads { // a Read of 0 bytes without an error does not restart the timer
		if n, err = b.src.Read(p); n != 0 || err != nil || len(p) == 0 {
			break
		}
	}
	stopped := b.timer.Stop()
	if !stopped && err != io.EOF { // a body that is complete was in time
		b.late = true
		if err != nil {
			err = IdleTimeout(b.attempt.Idle)
		}
	}
	switch {
	case n > 0 || len(p) == 0:
		b.empty = time.Time{}
	case b.empty.IsZero():
		b.empty = time.Now()
	}
	if err != nil {
		b.attempt.end()
	}
	return n, err
}

// start starts the timer for a Read. If the last Reads returned nothing, their time counts;
// start reports false if that was too long.
func (b *idleBody) start() bool {
	left := b.attempt.Idle
	if !b.empty.IsZero() {
		left -= time.Since(b.empty)
	}
	if b.timer == nil {
		cancel, cause := b.attempt.Cancel, IdleTimeout(b.attempt.Idle)
		b.timer = time.AfterFunc(left, func() { cancel(cause) })
	} else if left > 0 {
		b.timer.Reset(left)
	}
	return left > 0
}

// Close ends the attempt's context first. net/http's gzip reader holds a lock while a
// Read waits for gzip's header, and its Close would wait for that Read.
func (b *idleBody) Close() error {
	b.attempt.end()
	return b.src.Close()
}
