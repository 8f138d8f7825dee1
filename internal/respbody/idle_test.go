package respbody

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestBoundIdle is a line per body: what do Reads return, and when?
func TestBoundIdle(t *testing.T) {
	const limit = 30 * time.Second
	broken := errors.New("reset")
	slow := func(d time.Duration, next read) read {
		return func(p []byte) (int, error) { time.Sleep(d); return next(p) }
	}
	nothing := gives("")
	var silent read // until the attempt's context ends
	for _, c := range []struct {
		name  string
		pause time.Duration // of the caller, before each Read
		reads []read
		want  string
		err   error
		after time.Duration
	}{
		{name: "at once", reads: []read{gives("a"), ends("b")}, want: "ab"},
		{name: "just in time", reads: []read{slow(limit-1, gives("a")), slow(limit-1, gives("b")), slow(limit-1, ends("c"))},
			want: "abc", after: 3 * (limit - 1)},
		{name: "the caller takes its time", pause: time.Hour, reads: []read{gives("a"), slow(limit-1, gives("b"))},
			want: "ab", after: 3*time.Hour + limit - 1},
		{name: "silent from the start", reads: []read{silent}, err: IdleTimeout(limit), after: limit},
		{name: "silent in the middle", reads: []read{gives("a"), slow(limit-1, gives("b")), silent},
			want: "ab", err: IdleTimeout(limit), after: 2*limit - 1},
		{name: "breaks in time", reads: []read{gives("a"), slow(time.Second, breaks(broken))}, want: "a", err: broken, after: time.Second},
		{name: "Reads that return nothing are silence", reads: []read{slow(limit/2, nothing), slow(limit/4, nothing), silent},
			err: IdleTimeout(limit), after: limit},
		{name: "ignores its context, and brings bytes", reads: []read{slow(time.Minute, gives("a")), gives("b")},
			want: "a", err: IdleTimeout(limit), after: time.Minute},
		{name: "ignores its context, and breaks", reads: []read{slow(time.Minute, breaks(broken))}, err: IdleTimeout(limit), after: time.Minute},
		{name: "ignores its context, and ends", reads: []read{slow(time.Minute, ends("a"))}, want: "a", after: time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, ctx := attempt(t)
			a.Idle = limit
			resp, s := response(-1, c.reads...)
			for i := range s.reads {
				if s.reads[i] == nil {
					s.reads[i] = func([]byte) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) }
				}
			}
			body, start, got := a.BoundIdle(resp.Body), time.Now(), ""
			var err error
			for err == nil {
				time.Sleep(c.pause)
				p := make([]byte, 10)
				var n int
				n, err = body.Read(p)
				got += string(p[:n])
			}
			if c.err == nil {
				c.err = io.EOF
			}
			assert.Equal(t, c.want, got, c.name)
			assert.Equal(t, c.err, err, c.name)
			assert.Equal(t, c.after, time.Since(start), c.name)
			assert.Error(t, ctx.Err(), "%s: the attempt's context has ended", c.name)
			_, err = body.Read(make([]byte, 10))
			assert.Error(t, err, c.name)
			assert.NoError(t, body.Close(), c.name)
			s.tidy(t, c.name)
		})
	}
}

func TestCloseOfAnIdleBodyEndsTheAttempt(t *testing.T) {
	a, ctx := attempt(t)
	a.Idle = time.Hour
	resp, s := response(-1, gives("a"))
	body := a.BoundIdle(resp.Body)
	assert.NoError(t, body.Close())
	assert.Error(t, ctx.Err())
	s.tidy(t)
}

// TestASilentBodyBeforeTheHandOver: a look, or reading it whole, is bounded, too; what
// came is the caller's, with the error behind it, even if the Read goes on.
func TestASilentBodyBeforeTheHandOver(t *testing.T) {
	for name, before := range map[string]func(*Body) error{
		"look":                  func(b *Body) error { r := b.Look(10, time.Hour); defer r.Stop(); _, err := io.ReadAll(r); return err },
		"whole":                 func(b *Body) error { return b.Buffer(10, time.Hour) },
		"whole, length unknown": func(b *Body) error { b.resp.ContentLength = -1; return b.Buffer(10, time.Hour) },
	} {
		for _, deaf := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				a, ctx := attempt(t)
				a.Idle = 30 * time.Second
				resp, s := response(5, gives("abc"), func(p []byte) (int, error) {
					if deaf {
						time.Sleep(time.Minute)
						return copy(p, "de"), io.EOF
					}
					<-ctx.Done()
					return 0, ctx.Err()
				})
				b, start := Open(resp, a), time.Now()
				assert.Equal(t, IdleTimeout(a.Idle), before(b), name)
				assert.Equal(t, a.Idle, time.Since(start), name)
				assert.Equal(t, IdleTimeout(a.Idle), context.Cause(ctx), name)
				data, err := io.ReadAll(b)
				assert.Equal(t, IdleTimeout(a.Idle), err, name)
				assert.Equal(t, "abc", string(data), name)
				time.Sleep(time.Hour) // what comes late is dropped
				_, err = b.Read(make([]byte, 1))
				assert.Equal(t, IdleTimeout(a.Idle), err, name)
				assert.NoError(t, b.Close(), name)
				s.tidy(t, name)
			})
		}
	}
}

// TestALookIsNotEndedByIdleness that is longer than it may take.
func TestALookIsNotEndedByIdleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := attempt(t)
		a.Idle = 30 * time.Second
		server := make(chan struct{})
		resp, s := response(-1, gives("a"), after(server, ends("b")))
		b, start := Open(resp, a), time.Now()
		_, err := look(b)
		assert.Equal(t, errPeekTime, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.NoError(t, ctx.Err())
		close(server)
		data, err := io.ReadAll(b)
		assert.NoError(t, err)
		assert.Equal(t, "ab", string(data))
		b.Close()
		s.tidy(t)
	})
}

// TestIdleReadsCostNoAllocation, but the first.
func TestIdleReadsCostNoAllocation(t *testing.T) {
	a, _ := attempt(t)
	a.Idle = time.Hour
	body, p := a.BoundIdle(io.NopCloser(endless{})), make([]byte, 10)
	body.Read(p)
	assert.Zero(t, testing.AllocsPerRun(100, func() { body.Read(p) }))
	body.Close()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func BenchmarkIdleRead(b *testing.B) {
	a, _ := attempt(b)
	a.Idle = time.Hour
	body, p := a.BoundIdle(io.NopCloser(endless{})), make([]byte, 10)
	for b.Loop() {
		body.Read(p)
	}
}

// A body whose Reads return nothing, each at once, is silent, too; also if it ignores its
// context. The caller of these Reads waits between them, as bufio and io.ReadAll don't: a
// busy loop has no virtual time.
func TestReadsWithoutEndThatReturnNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := attempt(t)
		a.Idle = 30 * time.Second
		body := a.BoundIdle(struct {
			io.Reader
			io.Closer
		}{readFunc(func([]byte) (int, error) { return 0, nil }), io.NopCloser(nil)})
		start, reads := time.Now(), 0
		for ; reads < 1000; reads++ {
			if _, err := body.Read(make([]byte, 10)); err != nil {
				assert.Equal(t, IdleTimeout(a.Idle), err)
				break
			}
			time.Sleep(time.Second)
		}
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.Error(t, ctx.Err())
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
