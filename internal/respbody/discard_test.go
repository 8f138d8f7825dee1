package respbody

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// TestDiscard is a line per kind of body: is it read, when does the next attempt
// begin, when is it closed?
func TestDiscard(t *testing.T) {
	const never = time.Hour
	stalls := func(ctx context.Context) read {
		return func([]byte) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	}
	deaf := func(context.Context) read {
		return func([]byte) (int, error) { time.Sleep(never); return 0, nil }
	}
	for _, c := range []struct {
		name   string
		own    bool // the attempt has a context of its own
		unsent bool // the request was not sent to its end
		pause  time.Duration
		length int64
		change func(*http.Response)
		body   func(context.Context) read
		reads  int
		after  time.Duration
		closed time.Duration
	}{
		{name: "short", own: true, length: 3, reads: 2},
		{name: "short, no context", length: 3, reads: 2},
		{name: "length unknown", own: true, length: -1, reads: 2},
		{name: "length unknown, no context: it might stall", length: -1},
		{name: "long", own: true, length: drainBytes + 1},
		{name: "empty", own: true, length: 0},
		{name: "the connection closes anyway", own: true, length: 3, change: func(r *http.Response) { r.Close = true }},
		{name: "the request was not sent to its end", own: true, unsent: true, length: 3},
		{name: "HTTP/2", own: true, length: 3, change: func(r *http.Response) { r.ProtoMajor = 2 }},
		{name: "stalls", own: true, length: -1, body: stalls, reads: 1, after: DrainAtLeast, closed: DrainAtLeast},
		{name: "stalls, during a short pause", own: true, length: -1, pause: DrainAtMost / 2, body: stalls, reads: 1, after: DrainAtMost / 2, closed: DrainAtMost / 2},
		{name: "stalls, during a long pause", own: true, length: -1, pause: time.Minute, body: stalls, reads: 1, after: DrainAtMost, closed: DrainAtMost},
		{name: "ignores its context", own: true, length: -1, body: deaf, reads: 1, after: DrainAtLeast, closed: never},
		{name: "stalls, no context", length: 3, body: deaf, reads: 1, after: DrainAtLeast, closed: never},
		{name: "panics", length: 3, body: func(context.Context) read { return panics("boom") }, reads: 1},
		{name: "exits", length: 3, body: func(context.Context) read {
			return func([]byte) (int, error) { runtime.Goexit(); return 0, nil }
		}, reads: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, ctx := attempt(t)
			first := gives("abc")
			if c.body != nil {
				first = c.body(ctx)
			}
			if !c.own {
				a.Cancel = nil
			}
			resp, s := response(c.length, first)
			if c.change != nil {
				c.change(resp)
			}
			s.reads = append(s.reads, func([]byte) (int, error) { return ends("")(nil) })
			start := time.Now()
			closed := make(chan time.Duration, 1)
			s.close = func() { closed <- time.Since(start); panic("in Close, too") }
			got := a.Discard(resp, !c.unsent, c.pause, new(wait.Timer))
			assert.Equal(t, c.after, time.Since(start), c.name)
			assert.Equal(t, 200, got.StatusCode, c.name)
			assert.Equal(t, c.closed, <-closed, c.name)
			assert.Equal(t, c.reads, s.next, c.name)
			synctest.Wait()
			s.tidy(t, c.name)
		})
	}
}

// TestADiscardedHeadIsNotWrittenTo: a Prepare may look at it.
func TestADiscardedHeadIsNotWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := attempt(t)
		resp, s := response(-1)
		resp.Trailer = http.Header{"A": nil}
		s.reads = []read{func([]byte) (int, error) {
			<-ctx.Done()
			resp.Trailer["A"] = []string{"1"}
			return 0, ctx.Err()
		}}
		got := a.Discard(resp, true, 0, new(wait.Timer))
		for _, values := range got.Trailer {
			assert.Nil(t, values)
		}
		synctest.Wait()
		s.tidy(t)
	})
}

// TestWhatIsInMemoryIsNotRead: there is no connection to keep.
func TestWhatIsInMemoryIsNotRead(t *testing.T) {
	for _, major := range []int{1, 2} {
		r, timer := strings.NewReader("abc"), new(wait.Timer)
		resp := &http.Response{Body: io.NopCloser(r), ContentLength: 3, ProtoMajor: major}
		a, _ := attempt(t)
		assert.Same(t, resp, a.Discard(resp, true, 0, timer))
		assert.Equal(t, 3, r.Len())
		assert.Zero(t, testing.AllocsPerRun(100, func() { a.Discard(resp, true, 0, timer) }))
	}
}

// TestDiscardAfterALook: what the look has begun is ended, too.
func TestDiscardAfterALook(t *testing.T) {
	for _, length := range []int64{-1, 3} {
		synctest.Test(t, func(t *testing.T) {
			a, ctx := attempt(t)
			resp, s := response(length, gives("a"), func([]byte) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			b := Open(resp, a)
			look(b)
			start := time.Now()
			a.Discard(b.Response(), true, 0, new(wait.Timer))
			assert.Equal(t, DrainAtLeast, time.Since(start))
			synctest.Wait()
			s.tidy(t)
		})
	}
	resp, s := response(1<<20, gives(strings.Repeat("x", 100)))
	a, _ := attempt(t)
	b := Open(resp, a)
	b.Look(10, time.Second).Next()
	a.Discard(b.Response(), true, 0, new(wait.Timer))
	s.tidy(t, "not worth reading")
}

// A body that returns nothing without end is not asked for half a second. (In virtual
// time that would never pass.)
func TestDiscardOfABodyThatReturnsNothing(t *testing.T) {
	for n := range 2 { // none, or a count that can't be
		synctest.Test(t, func(t *testing.T) {
			reads := 0
			discardReading(t, time.Second, func([]byte) (int, error) { reads++; return -n, nil })
			assert.Equal(t, maxReads+1, reads)
		})
	}
}

// TestDiscardOfALongBody of unknown length: no more than drainBytes, and one to see that
// there are more, are read.
func TestDiscardOfALongBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := 0
		discardReading(t, time.Minute, func(p []byte) (int, error) { read += len(p); return len(p), nil })
		assert.Equal(t, drainBytes+1, read)
	})
}

// discardReading discards a body of unknown length that is read by read. It is closed once.
func discardReading(t *testing.T, limit time.Duration, read readerFunc) {
	a, _ := attempt(t)
	resp, s := response(-1)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{read, s}
	a.Discard(resp, true, limit, new(wait.Timer))
	assert.EqualValues(t, 1, s.closes.Load())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
