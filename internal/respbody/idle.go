package respbody

import (
	"context"
	"fmt"
	"io"
	"time"
)

// IdleTimeout is the error of a Read that BodyIdleTimeout, its value, ended. Like
// net/http's own timeouts it matches context.DeadlineExceeded, although the caller's
// context is alive.
type IdleTimeout time.Duration

func (d IdleTimeout) Error() string {
	return fmt.Sprintf("insist: the response body brought nothing for %v", time.Duration(d))
}
func (IdleTimeout) Timeout() bool        { return true }
func (IdleTimeout) Temporary() bool      { return true } // as net/http's
func (IdleTimeout) Is(target error) bool { return target == context.DeadlineExceeded }

// BoundIdle returns body as one whose Read fails with an IdleTimeout when it has
// brought nothing for a.Idle: it is ended by the attempt's context, which it has to
// heed. Its end, or Close, ends the attempt's context.
func (a Attempt) BoundIdle(body io.ReadCloser) io.ReadCloser {
	return &idleBody{src: body, attempt: a}
}

type idleBody struct {
	src     io.ReadCloser
	attempt Attempt
	timer   *time.Timer // runs during a Read; nil before the first
	late    bool        // it has ended the attempt's context
}

func (b *idleBody) Read(p []byte) (n int, err error) {
	if b.late {
		return 0, IdleTimeout(b.attempt.Idle)
	}
	if b.timer == nil {
		cancel, cause := b.attempt.Cancel, IdleTimeout(b.attempt.Idle)
		b.timer = time.AfterFunc(b.attempt.Idle, func() { cancel(cause) })
	} else {
		b.timer.Reset(b.attempt.Idle)
	}
	for range maxReads { // a Read that returns nothing does not end the silence
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
	if err != nil {
		b.attempt.end()
	}
	return n, err
}

// Close ends the attempt's context first: net/http's reader of gzip holds a lock while
// it waits for gzip's header, and Close would wait for that Read.
func (b *idleBody) Close() error {
	b.attempt.end()
	return b.src.Close()
}
