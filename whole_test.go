package insist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// breaks answers 200 with a body that ends in err after body.
func breaks(err error, body string, headers ...string) step {
	return sized(-1, func() io.Reader { return io.MultiReader(strings.NewReader(body), iotest.ErrReader(err)) }, headers...)
}

// sized answers 200 with a body whose length is declared to be n.
func sized(n int64, body func() io.Reader, headers ...string) step {
	return func(*http.Request) (*http.Response, error) {
		r := answer(200, headers...)
		r.ProtoMajor, r.ContentLength = 1, n
		r.Body = &insisttest.Body{Reader: body()}
		return r, nil
	}
}

func short(n int64, body string, headers ...string) step {
	return sized(n, func() io.Reader {
		return io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF))
	}, headers...)
}

func plain(body string, headers ...string) step {
	return sized(int64(len(body)), func() io.Reader { return strings.NewReader(body) }, headers...)
}

func TestWholeAnswers(t *testing.T) {
	const full = "hello, world"
	whole := Policy{Backoff: Constant(time.Minute), MaxWholeBytes: 12}
	with := func(edit func(*Policy)) Policy {
		p := whole
		edit(&p)
		return p
	}
	for _, c := range []struct {
		name   string
		policy Policy
		method string
		steps  []step
		hits   int
		body   string
		err    error
	}{
		{"off", Policy{}, "GET", []step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"negative", Policy{MaxWholeBytes: -1}, "GET", []step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"whole at once", whole, "GET", []step{plain(full)}, 1, full, nil},
		{"whole, length unknown", whole, "GET", []step{sized(-1, func() io.Reader { return strings.NewReader(full) })}, 1, full, nil},
		{"broken, length known", whole, "GET", []step{short(12, "hello"), plain(full)}, 2, full, nil},
		{"broken, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, "hello"), plain(full)}, 2, full, nil},
		{"broken before the first byte", whole, "GET", []step{short(12, ""), plain(full)}, 2, full, nil},
		{"broken behind the last byte", whole, "GET", []step{breaks(syscall.ECONNRESET, full), plain(full)}, 2, full, nil},
		{"reset", whole, "GET", []step{breaks(syscall.ECONNRESET, "hello"), plain(full)}, 2, full, nil},
		{"broken each time", whole, "GET", []step{short(12, "hello")}, 3, "hello", io.ErrUnexpectedEOF},
		{"longer, length known", whole, "GET", []step{short(13, full), plain(full)}, 1, full, io.ErrUnexpectedEOF},
		{"longer, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, full+"!"), plain(full)}, 1, full + "!", io.ErrUnexpectedEOF},
		{"events", whole, "GET", []step{short(12, "hello", "Content-Type", "Text/Event-Stream; charset=utf-8")}, 1, "hello", io.ErrUnexpectedEOF},
		{"picture, length known", whole, "GET", []step{short(12, "hello", "Content-Type", "image/png"), plain(full)}, 2, full, nil},
		{"picture, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, "hello", "Content-Type", "image/png")}, 1, "hello", io.ErrUnexpectedEOF},
		{"compressed", whole, "GET", []step{short(12, "hello", "Content-Encoding", "br"), plain(full)}, 2, full, nil},
		{"POST", whole, "POST", []step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"POST, even if lost", with(func(p *Policy) { p.NonIdempotent = ResendEvenIfLost }), "POST",
			[]step{short(12, "hello"), plain(full)}, 2, full, nil},
		{"POST, Classify says Retry", with(func(p *Policy) {
			p.Classify = func(_ *http.Request, _ *http.Response, err error, _ int) (d Decision) {
				if err != nil {
					d.Verdict = Retry
				}
				return d
			}
		}), "POST", []step{short(12, "hello"), plain(full)}, 2, full, nil},
		{"Classify says Stop", with(func(p *Policy) {
			p.Classify = func(*http.Request, *http.Response, error, int) Decision { return Decision{Verdict: Stop} }
		}), "GET", []step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"RetryableError refuses", with(func(p *Policy) { p.RetryableError = ErrorAs[syscall.Errno] }), "GET",
			[]step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"one attempt", with(func(p *Policy) { p.MaxAttempts = 1 }), "GET", []step{short(12, "hello")}, 1, "hello", io.ErrUnexpectedEOF},
		{"budget", with(func(p *Policy) { p.Budget = &Budget{Reserve: -1} }), "GET",
			[]step{short(12, "hello"), plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"with a condition that says no", with(func(p *Policy) { p.RetryableBody = JSONFieldNot("/ok", true) }), "GET",
			[]step{short(12, `{"ok":true,`), plain(full)}, 2, full, nil},
		{"with a condition that says yes", with(func(p *Policy) { p.RetryableBody = JSONFieldNot("/ok", true) }), "GET",
			[]step{short(13, `{"ok":false}`), plain(full)}, 2, full, nil},
		{"with a condition that may see less", with(func(p *Policy) { p.RetryableBody, p.MaxPeekBytes = JSONFieldNot("/ok", true), 3 }), "GET",
			[]step{short(12, "[1, 2,"), plain(full)}, 2, full, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := script(c.steps...)
				resp, err := (&RetryTransport{Base: b, Policy: c.policy}).RoundTrip(request(t, c.method, "http://x/", nil))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.body, string(got))
				assert.Equal(t, c.err, err)
				resp.Body.Close()
				assert.Len(t, b.Arrivals(), c.hits)
				for _, wait := range b.Waits() {
					assert.Equal(t, time.Minute, wait)
				}
				for _, body := range b.Bodies() {
					assert.Equal(t, 1, body.Closes())
				}
			})
		})
	}
}

func TestABrokenAnswerIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := WithRecord(t.Context())
		b := script(short(12, "hello"), plain("hello, world"))
		rt := &RetryTransport{Base: b, Policy: Policy{MaxWholeBytes: 100}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, []Attempt{
			{Number: 1, Method: "GET", Host: "x", Status: 200, Err: io.ErrUnexpectedEOF, Wait: 2 * time.Second, Retry: true, Reason: ReasonError},
			{Number: 2, Method: "GET", Host: "x", Status: 200, Reason: ReasonSuccess},
		}, record.Calls()[0])
	})
}

// delayed gives nothing before d.
type delayed struct {
	io.Reader
	d time.Duration
}

func (r *delayed) Read(p []byte) (int, error) {
	time.Sleep(r.d)
	return r.Reader.Read(p)
}

func TestTimeOfWholeAnswers(t *testing.T) {
	slow := func(n int64) step {
		return sized(n, func() io.Reader { return &delayed{strings.NewReader("hello"), 10 * time.Second} })
	}
	for _, c := range []struct {
		name   string
		policy Policy
		step   step
		after  time.Duration
	}{
		{"length known", Policy{}, slow(5), 20 * time.Second},
		{"length unknown", Policy{}, slow(-1), time.Second},
		{"length unknown, more time", Policy{MaxPeekTime: time.Minute}, slow(-1), 20 * time.Second},
		{"length unknown, no time", Policy{MaxPeekTime: -1}, slow(-1), 0},
		{"a condition has had the time", Policy{RetryableBody: JSONFieldNot("/ok", true)}, slow(-1), time.Second},
		{"a condition has had its time", Policy{RetryableBody: JSONFieldNot("/ok", true)}, slow(5), 20 * time.Second},
		{"attempts end, but the last", Policy{PerAttemptTimeout: 3 * time.Second, Backoff: Constant(0)}, slow(5), 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.policy.MaxWholeBytes = 100
				b, start := script(c.step), time.Now()
				// The attempt's end is seen by its context, as by net/http's bodies.
				base := roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := b.RoundTrip(req)
					resp.Body = &bound{ReadCloser: resp.Body, ctx: req.Context()}
					return resp, err
				})
				resp, err := (&RetryTransport{Base: base, Policy: c.policy}).RoundTrip(request(t, "GET", "http://x/", nil))
				assert.Equal(t, c.after, time.Since(start))
				require.NoError(t, err)
				assert.Equal(t, "hello", text(t, resp))
				resp.Body.Close()
				time.Sleep(time.Minute) // for the readers that sleep
			})
		})
	}
}

// bound is a body whose Read ends with its context.
type bound struct {
	io.ReadCloser
	ctx context.Context
}

func (b *bound) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := b.ReadCloser.Read(p)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
}

func TestTheContextEndsWhileAnAnswerIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		b, start := script(sized(5, func() io.Reader { return &delayed{strings.NewReader("hello"), 10 * time.Second} })), time.Now()
		rt := &RetryTransport{Base: b, Policy: Policy{MaxWholeBytes: 100}}
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err, "the answer had come; its body tells")
		assert.Equal(t, time.Second, time.Since(start))
		assert.Len(t, b.Arrivals(), 1)
		resp.Body.Close()
		time.Sleep(time.Minute)
	})
}

func TestTheContextEndsAfterABrokenAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		b := script(short(12, "hello"))
		rt := &RetryTransport{Base: b, Policy: Policy{MaxWholeBytes: 100}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		e, _ := errors.AsType[*Error](err)
		require.NotNil(t, e)
		assert.Equal(t, 200, e.Status)
		assert.Equal(t, 1, b.Bodies()[0].Closes())
	})
}
