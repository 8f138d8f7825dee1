package integrationtests

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/servertest"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// hangs is a step that ends only with its request's context, as a transport does.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err() // as HTTP/2; HTTP/1 returns the cause
}

func within(d time.Duration) insist.Policy {
	return insist.Policy{PerAttemptTimeout: d, Backoff: insist.Constant(time.Second)}
}

func TestAnAttemptThatTakesTooLongIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := insist.WithRecord(t.Context())
		b := script(hangs, hangs, status(200))
		resp, err := (&insist.RetryTransport{Base: b, Policy: within(5 * time.Second)}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{servertest.Seconds(6), servertest.Seconds(6)}, b.Waits())
		assert.Equal(t, "OK", text(t, resp))
		assert.Equal(t, insist.ReasonError, record.Calls()[0][0].Reason)
		assert.Equal(t, servertest.Seconds(5), record.Calls()[0][0].Duration)
	})
}

func TestTheErrorOfAnAttemptThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req := request(t, "GET", "http://x/", nil)
		_, err := (&insist.RetryTransport{Base: script(hangs), Policy: within(time.Second)}).RoundTrip(req)
		assert.True(t, neterr.IsTimeout(err))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, context.Canceled)
		assert.NoError(t, req.Context().Err())
		client := &http.Client{Transport: &insist.RetryTransport{Base: script(hangs), Policy: within(time.Second)}}
		_, err = client.Get("http://x/")
		assert.True(t, neterr.IsTimeout(err), "url.Error")
	})
}

func TestThePOSTThatTakesTooLong(t *testing.T) {
	calling := func(hook func(*httptrace.ClientTrace)) step {
		return func(r *http.Request) (*http.Response, error) {
			hook(httptrace.ContextClientTrace(r.Context()))
			return hangs(r)
		}
	}
	for name, c := range map[string]struct {
		step step
		want int
	}{
		"no trace":        {hangs, 1},
		"no connection":   {calling(func(h *httptrace.ClientTrace) { h.GetConn("") }), 3},
		"a connection":    {calling(func(h *httptrace.ClientTrace) { h.GetConn(""); h.GotConn(httptrace.GotConnInfo{}) }), 1},
		"headers written": {calling(func(h *httptrace.ClientTrace) { h.GetConn(""); h.WroteHeaders() }), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			if name == "headers written" {
				c.step = calling(func(h *httptrace.ClientTrace) { h.GetConn(""); h.GotConn(httptrace.GotConnInfo{}); h.WroteHeaders() })
			}
			b := script(c.step)
			_, err := (&insist.RetryTransport{Base: b, Policy: within(time.Second)}).RoundTrip(request(t, "POST", "http://x/", strings.NewReader("x")))
			assert.Error(t, err)
			assert.Len(t, b.Arrivals(), c.want, name)
		})
	}
}

func TestAKeptResponseIsNotCut(t *testing.T) {
	for name, p := range map[string]insist.Policy{"plain": within(time.Second), "looked into": {
		PerAttemptTimeout: time.Second, RetryableBody: insist.JSONFieldNot("/ret_code", 0),
	}} {
		synctest.Test(t, func(t *testing.T) {
			var ctx context.Context
			r, w := io.Pipe()
			rt := &insist.RetryTransport{Policy: p, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
				ctx = req.Context()
				context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })
				return servertest.From(func() io.Reader { return r })(req)
			})}
			go func() {
				io.WriteString(w, `{"ret_code": 0}`)
				time.Sleep(time.Hour)
				io.WriteString(w, "the rest")
				w.Close()
			}()
			resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err, name)
			assert.Equal(t, `{"ret_code": 0}the rest`, text(t, resp), name)
			assert.Error(t, ctx.Err(), "%s: at the end of the body the context has ended", name)
		})
	}
}

func TestTheContextOfAKeptResponseEndsWithItsClose(t *testing.T) {
	for code, endsAtOnce := range map[int]bool{200: false, 101: true} {
		var ctx context.Context
		rt := &insist.RetryTransport{Policy: within(time.Hour), Base: roundTripper(func(req *http.Request) (*http.Response, error) {
			ctx = req.Context()
			resp, _ := status(code)(req)
			return resp, nil
		})}
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, endsAtOnce, ctx.Err() != nil, code)
		if code == 101 {
			assert.IsType(t, &insisttest.Body{}, resp.Body, "untouched")
		}
		resp.Body.Close()
		assert.Error(t, ctx.Err())
	}
}

// A look that takes longer than the attempt may is the attempt's timeout.
func TestALookCountsForTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(servertest.From(func() io.Reader {
			return servertest.Trickle(strings.NewReader(`{"a": "xxxxxxxxxxxxxxxxx", "ret_code": 0}`))
		}), servertest.Content(`{}`))
		p := within(500 * time.Millisecond)
		p.RetryableBody = insist.JSONFieldNot("/ret_code", 0)
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, `{}`, text(t, resp))
		assert.Len(t, b.Arrivals(), 2)
		assert.Equal(t, 1, b.Bodies()[0].Closes())
		time.Sleep(time.Minute) // virtual: the trickle ignores its Close
	})
}

func TestABlockedBodyDoesNotOutliveTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		n := 0
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			n++
			data, err := io.ReadAll(req.Body) // as HTTP/1 does, whatever the context
			req.Body.Close()
			if err != nil {
				return nil, err
			}
			assert.Equal(t, "late", string(data))
			return response(200), nil
		})
		time.AfterFunc(7*time.Second, func() { w.Write([]byte("late")); w.Close() })
		_, err := (&insist.RetryTransport{Base: b, Policy: within(5 * time.Second)}).RoundTrip(request(t, "PUT", "http://x/", r))
		require.NoError(t, err)
		assert.Equal(t, 2, n)
	})
}

// A Read that nothing is kept of, since there is no other attempt or the body is
// too long, is the base's own. It ends with the attempt, too.
func TestABlockedBodyThatIsNotKeptEndsWithTheAttempt(t *testing.T) {
	for reason, edit := range map[insist.Reason]func(*insist.Policy){
		insist.ReasonAttempts: func(p *insist.Policy) { p.MaxAttempts = 1 },
		insist.ReasonBody:     func(p *insist.Policy) { p.MaxReplayBytes = 5 },
	} {
		t.Run(string(reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go w.Write([]byte("longer than the limit"))
				time.AfterFunc(time.Hour, func() { w.Close() }) // so that a failure does not hang
				b := roundTripper(func(req *http.Request) (*http.Response, error) {
					_, err := io.Copy(io.Discard, req.Body)
					return response(200), err
				})
				p := within(5 * time.Second)
				edit(&p)
				ctx, record := insist.WithRecord(t.Context())
				start := time.Now()
				_, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "PUT", "http://x/", r).WithContext(ctx))
				assert.ErrorIs(t, err, wait.ErrAttemptTimeout)
				assert.Equal(t, 5*time.Second, time.Since(start))
				assert.Len(t, record.Calls()[0], 1)
				assert.Equal(t, reason, record.Calls()[0][0].Reason)
			})
		})
	}
}

func TestMaxElapsed(t *testing.T) {
	for _, c := range []struct {
		name string
		max  time.Duration
		want int
	}{{"none", 0, 5}, {"negative", -1, 5}, {"before the second", servertest.Seconds(1.9), 1}, {"at the third", servertest.Seconds(4), 3}, {"before the third", servertest.Seconds(3.9), 2}} {
		synctest.Test(t, func(t *testing.T) {
			p := insist.Policy{MaxElapsed: c.max, MaxAttempts: 5}
			b := script(status(503))
			ctx, record := insist.WithRecord(t.Context())
			resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			require.NoError(t, err)
			assert.Equal(t, 503, resp.StatusCode)
			assert.Len(t, b.Arrivals(), c.want, c.name)
			n := 0
			insist.Run(ctx, p, func(context.Context) error { n++; return errLost })
			assert.Equal(t, c.want, n, c.name)
			tries, _ := insist.Attempts(ctx, p)
			n = 0
			for try := range tries {
				n++
				try.Fail(errLost)
			}
			assert.Equal(t, c.want, n, c.name)
			if c.want < 5 {
				for _, call := range record.Calls() {
					assert.Equal(t, insist.ReasonWait, call[len(call)-1].Reason, c.name)
				}
			}
		})
	}
}

func TestAnAttemptUnderWayIsNotCutByMaxElapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Minute)
			return status(200)(r)
		}
		resp, err := (&insist.RetryTransport{Base: script(slow), Policy: insist.Policy{MaxElapsed: time.Second}}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	})
}

func TestPerAttemptTimeoutOfAFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		v, err := insist.Do(t.Context(), within(5*time.Second), func(ctx context.Context) (int, error) {
			if n++; n < 3 {
				<-ctx.Done()
				return 0, errLost // which doesn't tell
			}
			return n, nil
		})
		require.NoError(t, err)
		assert.Equal(t, 3, v)

		err = insist.Run(t.Context(), within(time.Second), func(ctx context.Context) error { <-ctx.Done(); return errLost })
		assert.ErrorIs(t, err, errLost)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		e, _ := errors.AsType[*insist.Error](err)
		assert.Equal(t, insist.ReasonAttempts, e.Reason)
		assert.True(t, e.Timeout())

		tries, failed := insist.Attempts(t.Context(), within(time.Second))
		n = 0
		for try := range tries {
			n++
			<-try.Context().Done()
			try.Fail(context.Cause(try.Context()))
		}
		assert.Equal(t, 3, n)
		assert.ErrorIs(t, failed(), context.DeadlineExceeded)
	})
}

func TestAResponseThatAFunctionReturnsIsNotCut(t *testing.T) {
	var inner context.Context
	resp, err := insist.Do(t.Context(), within(time.Hour), func(ctx context.Context) (*http.Response, error) {
		inner = ctx
		return status(200)(request(t, "GET", "http://x/", nil))
	})
	require.NoError(t, err)
	assert.NoError(t, inner.Err())
	assert.Equal(t, "OK", text(t, resp))
	assert.Error(t, inner.Err())
	_, err = insist.Do(t.Context(), within(time.Hour), func(ctx context.Context) (int, error) { inner = ctx; return 0, nil })
	require.NoError(t, err)
	assert.Error(t, inner.Err(), "the context of other values ends")
}
