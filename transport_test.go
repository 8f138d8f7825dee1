package insist

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/respbody"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

func TestZeroValueMakesThreeAttemptsTwoSecondsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(500))
		resp, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second}, b.Waits())
		assert.Equal(t, 500, resp.StatusCode)
		assert.Equal(t, "Internal Server Error", text(t, resp), "the last response, whole")
		assert.Equal(t, 1, b.Bodies()[0].Closes(), "discarded")
		assert.Equal(t, 1, b.Bodies()[1].Closes(), "discarded")
		assert.Zero(t, b.Bodies()[2].Closes(), "handed over")
	})
}

func TestSuccessEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(fails(errLost), status(503, "Retry-After", "7"), status(200))
		req := request(t, "GET", "http://x/", nil)
		resp, err := (&RetryTransport{Base: b}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Same(t, req, resp.Request)
		assert.Equal(t, []time.Duration{2 * time.Second, 7 * time.Second}, b.Waits())
	})
}

func TestTheLastErrorIsHandedBackAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(503), fails(errLost))
		resp, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil))
		assert.Nil(t, resp)
		assert.True(t, err == errLost, "not wrapped")
		assert.Len(t, b.Arrivals(), 3)
	})
}

func TestThePolicyReplacesTheDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(503))
		var failed []int
		rt := &RetryTransport{Base: b, Policy: Policy{MaxAttempts: 4, Backoff: func(n int) time.Duration {
			failed = append(failed, n)
			return time.Duration(n) * time.Minute
		}}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}, b.Waits())
		assert.Equal(t, []int{1, 2, 3}, failed)
	})
}

func TestDisabledAndSingleAttempts(t *testing.T) {
	for name, p := range map[string]Policy{
		"disabled": {Disabled: true}, "one": {MaxAttempts: 1},
	} {
		b, req := script(status(503)), request(t, "POST", "http://x/", servertest.OnlyReader("body"))
		resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(req)
		require.NoError(t, err, name)
		assert.Equal(t, 503, resp.StatusCode, name)
		assert.Len(t, b.Arrivals(), 1, name)
		assert.Same(t, req, resp.Request, name)
	}
}

func TestEndOfTheContextDuringAWait(t *testing.T) {
	cause := errors.New("the user went home")
	for _, last := range []step{status(503), fails(errLost)} {
		synctest.Test(t, func(t *testing.T) {
			b, start := script(last), time.Now()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(3*time.Second, func() { cancel(cause) })
			ctx, record := WithRecord(ctx)
			resp, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			assert.Nil(t, resp)
			assert.Equal(t, 3*time.Second, time.Since(start), "at once")
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, cause)
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			assert.Equal(t, 2, e.Attempts)
			assert.Equal(t, ReasonContext, e.Reason)
			assert.False(t, e.Timeout())
			for _, body := range b.Bodies() {
				assert.Equal(t, 1, body.Closes())
				assert.Equal(t, 503, e.Status)
			}
			if len(b.Bodies()) == 0 {
				assert.ErrorIs(t, err, errLost)
			}
			calls := record.Calls()
			require.Len(t, calls, 1)
			require.Len(t, calls[0], 2)
			assert.True(t, calls[0][0].Retry)
			assert.False(t, calls[0][0].Amended)
			assert.False(t, calls[0][1].Retry)
			assert.True(t, calls[0][1].Amended)
			assert.Equal(t, ReasonContext, calls[0][1].Reason)
		})
	}
}

func TestADeadlineThatTheWaitWouldPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := script(status(503, "Retry-After", "10")), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		resp, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode)
		assert.Equal(t, "Service Unavailable", text(t, resp))
		assert.Zero(t, time.Since(start))
	})
}

func TestAnEndedContextMakesNoAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, body := range map[string]io.Reader{
		"recorded": &insisttest.Body{Reader: strings.NewReader("x")}, "in memory": strings.NewReader("x"), "none": nil,
	} {
		b := script(status(200))
		resp, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "POST", "http://x/", body).WithContext(ctx))
		assert.Nil(t, resp, name)
		assert.ErrorIs(t, err, context.Canceled, name)
		assert.Empty(t, b.Arrivals(), name)
		if counted, ok := body.(*insisttest.Body); ok {
			assert.Equal(t, 1, counted.Closes(), name)
		}
	}
}

func TestCanceledByTheRequestsOwnChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := script(status(503)), time.Now()
		req, cancel := request(t, "GET", "http://x/", nil), make(chan struct{})
		req.Cancel = cancel //lint:ignore SA1019 by which http.Client enforces its Timeout
		time.AfterFunc(time.Second, func() { close(cancel) })
		_, err := (&RetryTransport{Base: b}).RoundTrip(req)
		assert.ErrorIs(t, err, errCanceled)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Len(t, b.Arrivals(), 1)
	})
}

func TestClientTimeoutEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client := &http.Client{
			Timeout:   5 * time.Second,
			Transport: &RetryTransport{Base: script(status(503)), Policy: Policy{Backoff: Constant(4 * time.Second)}},
		}
		resp, err := client.Get("http://x/")
		require.NoError(t, err, "the second wait would pass the deadline: the last response is the result")
		assert.Equal(t, 503, resp.StatusCode)
		assert.Equal(t, 4*time.Second, time.Since(start))
		resp.Body.Close() // stops the client's timer

		client.Transport = &RetryTransport{Base: script(fails(errLost)), Policy: Policy{Backoff: Constant(6 * time.Second)}}
		_, err = client.Get("http://x/")
		assert.ErrorIs(t, err, errLost)
		synctest.Wait()
	})
}

func TestPrepareSignsLaterAttempts(t *testing.T) {
	b := script(status(503), status(503), status(200))
	var numbers []int
	rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0), Prepare: func(r *http.Request, _ *http.Response, _ error) error {
		n := AttemptNumber(r.Context())
		numbers = append(numbers, n)
		r.Header.Set("Signature", "new")
		r.URL.RawQuery = url.Values{"attempt": {string(rune('0' + n))}}.Encode()
		return nil
	}}}
	req := request(t, "POST", "http://x/?attempt=1", strings.NewReader("body"))
	req.Header.Set("Signature", "old")
	_, err := rt.RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3}, numbers)
	for i, want := range []string{"old", "new", "new"} {
		assert.Equal(t, want, b.Arrivals()[i].Header.Get("Signature"))
		assert.Equal(t, "body", b.Arrivals()[i].Body)
	}
	assert.Equal(t, "/?attempt=3", b.Arrivals()[2].URI)
	assert.Equal(t, "old", req.Header.Get("Signature"), "the caller's request is not changed")
	assert.Equal(t, "attempt=1", req.URL.RawQuery)
}

func TestPrepareMayEndTheCall(t *testing.T) {
	noToken, body := errors.New("no token"), &insisttest.Body{Reader: strings.NewReader("x")}
	rt := &RetryTransport{Base: script(status(503)), Policy: Policy{
		Backoff: Constant(0), Prepare: func(*http.Request, *http.Response, error) error { return noToken },
	}}
	_, err := rt.RoundTrip(request(t, "POST", "http://x/?secret=1", body))
	assert.ErrorIs(t, err, noToken)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, Error{Attempts: 1, Reason: ReasonError, Status: 503, Cause: noToken}, *e)
	assert.Equal(t, 1, body.Closes())
	assert.NotContains(t, err.Error(), "secret")
}

func TestABrokenBase(t *testing.T) {
	torn := &insisttest.Body{Reader: strings.NewReader("x")}
	for _, c := range []struct {
		name string
		base step
		err  error
		hits int
	}{
		{"neither", func(*http.Request) (*http.Response, error) { return nil, nil }, errNoResponse, 1},
		{"a nil pointer as its error", func(*http.Request) (*http.Response, error) { return nil, (*net.OpError)(nil) }, errNilError, 1},
		{"both, the error a nil pointer", func(*http.Request) (*http.Response, error) { return response(200), (*net.OpError)(nil) }, errNilError, 1},
		{"both", func(*http.Request) (*http.Response, error) { return &http.Response{Body: torn}, errLost }, errLost, 3},
		{"both, no body", func(*http.Request) (*http.Response, error) { return &http.Response{}, errLost }, errLost, 3},
	} {
		b := script(c.base)
		resp, err := (&RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}).RoundTrip(request(t, "GET", "http://x/", nil))
		assert.Nil(t, resp, c.name)
		assert.ErrorIs(t, err, c.err, c.name)
		assert.Len(t, b.Arrivals(), c.hits, c.name)
	}
	assert.Equal(t, 3, torn.Closes())

	b := script(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 503}, nil })
	resp, err := (&RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}).RoundTrip(request(t, "GET", "http://x/", nil))
	require.NoError(t, err, "a response without a body")
	assert.Equal(t, 503, resp.StatusCode)
	assert.Len(t, b.Arrivals(), 3)
}

func TestAPanicLeavesNothingOpen(t *testing.T) {
	boom := func() { panic("boom") }
	for name, p := range map[string]Policy{
		"Classify":   {Classify: func(*http.Request, *http.Response, error, int) Decision { boom(); return Decision{} }},
		"status":     {RetryableStatus: func(int) bool { boom(); return false }},
		"Backoff":    {Backoff: func(int) time.Duration { boom(); return 0 }},
		"OnAttempt":  {OnAttempt: func(context.Context, Attempt) { boom() }},
		"Idempotent": {Idempotent: func(*http.Request) bool { boom(); return false }},
		"Prepare":    {Backoff: Constant(0), Prepare: func(*http.Request, *http.Response, error) error { boom(); return nil }},
		"condition":  {RetryableBody: func(*http.Request, *http.Response, int, io.Reader) Decision { boom(); return Decision{} }},
		"key":        {IdempotencyKey: func(*http.Request) string { boom(); return "" }},
		"cooldown":   {Cooldown: &Cooldown{Key: func(*http.Request) string { boom(); return "" }}},
	} {
		for mode, edit := range map[string]func(*Policy){
			"plain": func(*Policy) {}, "timed": func(p *Policy) { p.PerAttemptTimeout = time.Hour },
			"hedged": func(p *Policy) {
				p.Hedge = &Hedge{Delay: time.Hour}
				if p.Idempotent == nil {
					p.Idempotent = func(*http.Request) bool { return p.IdempotencyKey == nil }
				}
			},
		} {
			p := p
			edit(&p)
			b, body := script(status(503, "Retry-After", "0.001")), &insisttest.Body{Reader: strings.NewReader("x")}
			assert.PanicsWithValue(t, "boom", func() {
				(&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "POST", "http://x/", body))
			}, name+" "+mode)
			assert.Equal(t, 1, body.Closes(), name+" "+mode)
			for _, response := range b.Bodies() {
				assert.Equal(t, 1, response.Closes(), name+" "+mode)
			}
		}
	}
	for name, p := range map[string]Policy{
		"RetryableError": {RetryableError: func(error) bool { boom(); return false }},
		"RetryAfter":     {Classify: func(*http.Request, *http.Response, error, int) Decision { return Decision{Verdict: Retry} }},
	} {
		body := &insisttest.Body{Reader: strings.NewReader("x")}
		assert.PanicsWithValue(t, "boom", func() {
			(&RetryTransport{Base: script(fails(retryNever{})), Policy: p}).RoundTrip(request(t, "PUT", "http://x/", body))
		}, name)
		assert.Equal(t, 1, body.Closes(), name)
	}
	b := script(status(200)) // what mostly is the end of it
	rt := &RetryTransport{Base: b, Policy: Policy{RetryableStatus: func(int) bool { boom(); return false }}}
	assert.PanicsWithValue(t, "boom", func() { rt.RoundTrip(request(t, "GET", "http://x/", nil)) })
	assert.Equal(t, 1, b.Bodies()[0].Closes())
}

// TestAPanicInTheRequestBodysClose closes the response.
func TestAPanicInTheRequestBodysClose(t *testing.T) {
	var answered insisttest.Body
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		req.Body.Close() // unread: the caller's is kept open for another attempt
		resp := response(200)
		resp.Body = &answered
		return resp, nil
	})
	assert.PanicsWithValue(t, "boom", func() {
		body := closePanics{strings.NewReader("x")}
		(&RetryTransport{Base: base}).RoundTrip(request(t, "POST", "http://x/", body))
	})
	assert.Equal(t, 1, answered.Closes())
}

// TestAPanicInTheRequestBodysSeek closes the body.
func TestAPanicInTheRequestBodysSeek(t *testing.T) {
	body := seekPanics{&insisttest.Body{Reader: strings.NewReader("x")}}
	assert.PanicsWithValue(t, "boom", func() {
		(&RetryTransport{Base: script(status(200))}).RoundTrip(request(t, "POST", "http://x/", body))
	})
	assert.Equal(t, 1, body.Closes())
}

type seekPanics struct{ *insisttest.Body }

func (seekPanics) Seek(int64, int) (int64, error) { panic("boom") }

type closePanics struct{ io.Reader }

func (closePanics) Close() error { panic("boom") }

// TestAPanicWhileTheRequestIsSent ends the request body before the response is closed: on
// HTTP/2, that waits for a Read of the body.
func TestAPanicWhileTheRequestIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, w := io.Pipe()
		defer w.Close()
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			sent := make(chan bool)
			go func() {
				io.Copy(io.Discard, req.Body)
				close(sent)
			}()
			synctest.Wait()
			resp := response(200)
			resp.Body = waitingBody{sent}
			return resp, nil
		})
		rt := &RetryTransport{Base: base, Policy: Policy{RetryableStatus: func(int) bool { panic("boom") }}}
		assert.PanicsWithValue(t, "boom", func() { rt.RoundTrip(request(t, "POST", "http://x/", body)) })
	})
}

type waitingBody struct{ sent chan bool }

func (waitingBody) Read([]byte) (int, error) { return 0, io.EOF }
func (b waitingBody) Close() error           { <-b.sent; return nil }

// TestASingleAttemptSendsTheCallersBody: nothing is buffered for another one.
func TestASingleAttemptSendsTheCallersBody(t *testing.T) {
	body := &insisttest.Body{Reader: strings.NewReader("x")}
	rt := &RetryTransport{Policy: Policy{MaxAttempts: 1}, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
		assert.Same(t, body, req.Body)
		return response(200), nil
	})}
	_, err := rt.RoundTrip(request(t, "POST", "http://x/", body))
	assert.NoError(t, err)
	assert.Zero(t, body.Closes(), "the base may still read it")
}

// retryNever is an error whose RetryAfter panics.
type retryNever struct{}

func (retryNever) Error() string { return "never" }

func (retryNever) RetryAfter() time.Duration { panic("boom") }

func TestADribblingAnswerDoesNotHoldUpTheNextAttempt(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		0: respbody.DrainAtLeast, time.Millisecond: respbody.DrainAtLeast, 2 * time.Second: 2 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe() // its Close ends its Read, as a connection's does
			dribble := func(req *http.Request) (*http.Response, error) {
				resp, _ := status(503)(req)
				resp.Body = r
				return resp, nil
			}
			go func() {
				for {
					if _, err := w.Write([]byte(".")); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			b := script(dribble, status(200))
			_, err := (&RetryTransport{Base: b, Policy: Policy{Backoff: Constant(wait)}}).RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{want}, b.Waits())
			time.Sleep(time.Second) // virtual: the writer has noticed
		})
	}
}

// A body that ignores its Close is read no further than the Read in flight.
func TestDrainingEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		trickle := servertest.ReaderFunc(func(p []byte) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return copy(p, "x"), nil
		})
		body := servertest.ReaderFunc(func(p []byte) (int, error) { reads.Add(1); return trickle(p) })
		b := script(servertest.From(func() io.Reader { return io.LimitReader(body, 1000) }), status(200))
		p := Policy{Backoff: Constant(0), RetryableStatus: func(int) bool { return len(b.Arrivals()) == 1 }}
		_, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.LessOrEqual(t, reads.Load(), int64(2))
	})
}

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	closer := &idleCloser{Script: script(status(200))}
	(&http.Client{Transport: &RetryTransport{Base: closer}}).CloseIdleConnections()
	assert.Equal(t, 1, closer.calls)
	(&RetryTransport{Base: seeThrough{layer{seeThrough{layer{closer, nil}}, nil}}}).CloseIdleConnections()
	assert.Equal(t, 2, closer.calls, "through wrappers that can't, as Kubernetes has")
	(&RetryTransport{Base: new(selfWrapper)}).CloseIdleConnections()
	(&RetryTransport{Base: script()}).CloseIdleConnections() // a base that can't
	assert.Same(t, (&RetryTransport{}).WrappedRoundTripper(), (&RetryTransport{}).WrappedRoundTripper(), "one for all")
}

type idleCloser struct {
	*insisttest.Script
	calls int
}

func (c *idleCloser) CloseIdleConnections() { c.calls++ }

func TestASimpleRequestInAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := script(status(200))
	_, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
	assert.ErrorIs(t, err, context.Canceled)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, ReasonContext, e.Reason)
	assert.Zero(t, e.Attempts)
	assert.Empty(t, b.Arrivals())
}

// A success at once pays into the budget, also on the short way: of a budget
// without a reserve the retry of the next request can be paid.
func TestASimpleSuccessFeedsTheBudget(t *testing.T) {
	for _, c := range []struct {
		successes, hits int
	}{{0, 1}, {1, 3}} {
		steps := []step{status(503), status(200)}
		if c.successes > 0 {
			steps = append([]step{status(200)}, steps...)
		}
		b := script(steps...)
		rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0), Budget: &Budget{Reserve: -1, PerSuccess: 1}}}
		for range c.successes + 1 {
			_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
		}
		assert.Len(t, b.Arrivals(), c.hits)
	}
}
