package integrationtests

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// breaks answers 200 with a body that ends in err after body.
func breaks(err error, body string, headers ...string) step {
	return servertest.Sized(-1, func() io.Reader { return io.MultiReader(strings.NewReader(body), iotest.ErrReader(err)) }, headers...)
}

func short(n int64, body string, headers ...string) step {
	return servertest.Sized(n, func() io.Reader {
		return io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF))
	}, headers...)
}

// unbounded sets the bounds to what users write for none.
func unbounded(p *insist.Policy) {
	p.MaxWholeBytes, p.MaxPeekBytes, p.MaxPeekTime = math.MaxInt64, math.MaxInt64, math.MaxInt64
}

func TestWholeAnswers(t *testing.T) {
	const full = "hello, world"
	whole := insist.Policy{Backoff: insist.Constant(time.Minute), MaxWholeBytes: 12}
	with := func(edit func(*insist.Policy)) insist.Policy {
		p := whole
		edit(&p)
		return p
	}
	for _, c := range []struct {
		name   string
		policy insist.Policy
		method string
		steps  []step
		hits   int
		body   string
		err    error
	}{
		{"off", insist.Policy{}, "GET", []step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"negative", insist.Policy{MaxWholeBytes: -1}, "GET", []step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"whole at once", whole, "GET", []step{servertest.Plain(full)}, 1, full, nil},
		{"whole, length unknown", whole, "GET", []step{servertest.Sized(-1, func() io.Reader { return strings.NewReader(full) })}, 1, full, nil},
		{"broken, length known", whole, "GET", []step{short(12, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"broken, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"no bound, length known", with(unbounded), "GET", []step{short(12, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"no bound, length unknown", with(unbounded), "GET", []step{breaks(io.ErrUnexpectedEOF, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"no bound, behind a look", with(func(p *insist.Policy) { unbounded(p); p.RetryableBody = insist.JSONFieldNot("/ok", true) }), "GET",
			[]step{breaks(io.ErrUnexpectedEOF, `{"ok":true,`), breaks(nil, `{"ok":false}`), servertest.Plain(full)}, 3, full, nil},
		{"broken before the first byte", whole, "GET", []step{short(12, ""), servertest.Plain(full)}, 2, full, nil},
		{"broken behind the last byte", whole, "GET", []step{breaks(syscall.ECONNRESET, full), servertest.Plain(full)}, 2, full, nil},
		{"reset", whole, "GET", []step{breaks(syscall.ECONNRESET, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"broken each time", whole, "GET", []step{short(12, "hello")}, 3, "hello", io.ErrUnexpectedEOF},
		{"longer, length known", whole, "GET", []step{short(13, full), servertest.Plain(full)}, 1, full, io.ErrUnexpectedEOF},
		{"longer, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, full+"!"), servertest.Plain(full)}, 1, full + "!", io.ErrUnexpectedEOF},
		{"events", whole, "GET", []step{short(12, "hello", "Content-Type", "Text/Event-Stream; charset=utf-8")}, 1, "hello", io.ErrUnexpectedEOF},
		{"picture, length known", whole, "GET", []step{short(12, "hello", "Content-Type", "image/png"), servertest.Plain(full)}, 2, full, nil},
		{"picture, length unknown", whole, "GET", []step{breaks(io.ErrUnexpectedEOF, "hello", "Content-Type", "image/png")}, 1, "hello", io.ErrUnexpectedEOF},
		{"compressed", whole, "GET", []step{short(12, "hello", "Content-Encoding", "br"), servertest.Plain(full)}, 2, full, nil},
		{"POST", whole, "POST", []step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"POST, even if lost", with(func(p *insist.Policy) { p.NonIdempotent = insist.ResendEvenIfLost }), "POST",
			[]step{short(12, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"POST, Classify says Retry", with(func(p *insist.Policy) {
			p.Classify = func(_ *http.Request, _ *http.Response, err error, _ int) (d insist.Decision) {
				if err != nil {
					d.Verdict = insist.Retry
				}
				return d
			}
		}), "POST", []step{short(12, "hello"), servertest.Plain(full)}, 2, full, nil},
		{"Classify says Stop", with(func(p *insist.Policy) {
			p.Classify = func(*http.Request, *http.Response, error, int) insist.Decision {
				return insist.Decision{Verdict: insist.Stop}
			}
		}), "GET", []step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"RetryableError refuses", with(func(p *insist.Policy) { p.RetryableError = insist.ErrorAs[syscall.Errno] }), "GET",
			[]step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"one attempt", with(func(p *insist.Policy) { p.MaxAttempts = 1 }), "GET", []step{short(12, "hello")}, 1, "hello", io.ErrUnexpectedEOF},
		{"budget", with(func(p *insist.Policy) { p.Budget = &insist.Budget{Reserve: -1} }), "GET",
			[]step{short(12, "hello"), servertest.Plain(full)}, 1, "hello", io.ErrUnexpectedEOF},
		{"with a condition that says no", with(func(p *insist.Policy) { p.RetryableBody = insist.JSONFieldNot("/ok", true) }), "GET",
			[]step{short(12, `{"ok":true,`), servertest.Plain(full)}, 2, full, nil},
		{"with a condition that says yes", with(func(p *insist.Policy) { p.RetryableBody = insist.JSONFieldNot("/ok", true) }), "GET",
			[]step{short(13, `{"ok":false}`), servertest.Plain(full)}, 2, full, nil},
		{"with a condition that may see less", with(func(p *insist.Policy) { p.RetryableBody, p.MaxPeekBytes = insist.JSONFieldNot("/ok", true), 3 }), "GET",
			[]step{short(12, "[1, 2,"), servertest.Plain(full)}, 2, full, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := script(c.steps...)
				resp, err := (&insist.RetryTransport{Base: b, Policy: c.policy}).RoundTrip(request(t, c.method, "http://x/", nil))
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
		ctx, record := insist.WithRecord(t.Context())
		b := script(short(12, "hello"), servertest.Plain("hello, world"))
		rt := &insist.RetryTransport{Base: b, Policy: insist.Policy{MaxWholeBytes: 100}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, []insist.Attempt{
			{Number: 1, Method: "GET", Host: "x", Status: 200, Err: io.ErrUnexpectedEOF, Wait: 2 * time.Second, Retry: true, Reason: insist.ReasonError},
			{Number: 2, Method: "GET", Host: "x", Status: 200, Reason: insist.ReasonSuccess},
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
		return servertest.Sized(n, func() io.Reader { return &delayed{strings.NewReader("hello"), 10 * time.Second} })
	}
	for _, c := range []struct {
		name   string
		policy insist.Policy
		step   step
		after  time.Duration
	}{
		{"length known", insist.Policy{}, slow(5), 20 * time.Second},
		{"length unknown", insist.Policy{}, slow(-1), time.Second},
		{"length unknown, more time", insist.Policy{MaxPeekTime: time.Minute}, slow(-1), 20 * time.Second},
		{"length unknown, no time", insist.Policy{MaxPeekTime: -1}, slow(-1), 0},
		{"a condition has had the time", insist.Policy{RetryableBody: insist.JSONFieldNot("/ok", true)}, slow(-1), time.Second},
		{"a condition has had its time", insist.Policy{RetryableBody: insist.JSONFieldNot("/ok", true)}, slow(5), 20 * time.Second},
		{"attempts end, but the last", insist.Policy{PerAttemptTimeout: 3 * time.Second, Backoff: insist.Constant(0)}, slow(5), 6 * time.Second},
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
				resp, err := (&insist.RetryTransport{Base: base, Policy: c.policy}).RoundTrip(request(t, "GET", "http://x/", nil))
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
		b, start := script(servertest.Sized(5, func() io.Reader { return &delayed{strings.NewReader("hello"), 10 * time.Second} })), time.Now()
		rt := &insist.RetryTransport{Base: b, Policy: insist.Policy{MaxWholeBytes: 100}}
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err, "the response had come; its body tells")
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
		rt := &insist.RetryTransport{Base: b, Policy: insist.Policy{MaxWholeBytes: 100}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		e, _ := errors.AsType[*insist.Error](err)
		require.NotNil(t, e)
		assert.Equal(t, 200, e.Status)
		assert.Equal(t, 1, b.Bodies()[0].Closes())
	})
}

// TestASmallAnswerArrivesWhole: the first one is truncated, in each of the ways in
// which a real one does.
func TestASmallAnswerArrivesWhole(t *testing.T) {
	full := servertest.Megabyte[:30_000]
	breaks := map[string]func(http.ResponseWriter, *http.Request){
		"length known": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "30000")
			w.Write(full[:20_000])
		},
		"length unknown": func(w http.ResponseWriter, r *http.Request) { w.Write(full[:20_000]) },
		"zipped": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(full[:20_000])
			z.Flush()
		},
		"nothing": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "30000") },
	}
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		for name, breakOff := range breaks {
			for _, reset := range []bool{false, true} {
				t.Run(name, func(t *testing.T) {
					leak.Check(t)
					var hits servertest.Counter
					s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
						if hits.Next(r) > 1 {
							w.Write(full)
							return
						}
						breakOff(w, r)
						http.NewResponseController(w).Flush()
						servertest.Cut(r, reset)
					})
					req, record := requestTo(t, s, "GET", "/", nil)
					rt := over(s, func(p *insist.Policy) { p.MaxWholeBytes = 1 << 20 })
					servertest.Within(t, func() {
						resp, err := rt.RoundTrip(req)
						require.NoError(t, err)
						got, err := io.ReadAll(resp.Body)
						assert.NoError(t, err)
						assert.Equal(t, servertest.Digest(full), servertest.Digest(got))
						assert.NoError(t, resp.Body.Close())
					})
					assert.Equal(t, 2, hits.Count("/"), record)
					s.Close()
					s.Base.CloseIdleConnections()
				})
			}
		}
	})
}

// TestASmallAnswerThatComesTooLate is begun in time, and not ended.
func TestASmallAnswerThatComesTooLate(t *testing.T) {
	full := servertest.Megabyte[:30_000]
	n := 0
	late := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			w.Write(full)
			return
		}
		w.Header().Set("Content-Length", "30000")
		w.Write(full[:20_000])
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	servertest.EachInMemory(t, late, func(t *testing.T, base *http.Transport) {
		p := eager
		p.MaxWholeBytes, p.PerAttemptTimeout = 1<<20, 5*time.Second
		start := time.Now()
		resp, err := (&insist.RetryTransport{Base: base, Policy: p}).RoundTrip(memRequest(t, t.Context()))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, servertest.Digest(full), servertest.Digest(got))
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}
