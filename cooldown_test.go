package insist

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limiter lets so many requests through in each window, and turns the others away
// until its end.
type limiter struct {
	allowed int
	window  time.Duration

	mu          sync.Mutex
	ends        time.Time
	n           int
	asked, over int
}

func (l *limiter) RoundTrip(*http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); !now.Before(l.ends) {
		l.ends, l.n = now.Add(l.window), 0
	}
	l.asked++
	if l.n++; l.n > l.allowed {
		l.over++
		return response(429, "retry-after-ms", ms(time.Until(l.ends))), nil
	}
	return response(200), nil
}

// TestCooldownAgainstALimit: fifty callers, one after the other, and a limit of ten
// requests a minute. The figures are in docs/cooldown.md.
func TestCooldownAgainstALimit(t *testing.T) {
	for name, c := range map[string]struct {
		cooldown *Cooldown
		most     int // requests that met a 429
	}{"without": {nil, 1000}, "with": {new(Cooldown), 12}} {
		synctest.Test(t, func(t *testing.T) {
			l := &limiter{allowed: 10, window: time.Minute}
			rt := &RetryTransport{Base: l, Policy: Policy{
				MaxAttempts: -1, Backoff: Exponential(time.Second, time.Minute), MaxRetryAfter: time.Hour, Cooldown: c.cooldown,
			}}
			var good atomic.Int32
			var callers sync.WaitGroup
			for range 50 {
				callers.Go(func() {
					resp, err := rt.RoundTrip(request(t, "GET", "http://api.test/", nil))
					if assert.NoError(t, err) && resp.StatusCode == 200 {
						good.Add(1)
					}
				})
				time.Sleep(100 * time.Millisecond)
			}
			callers.Wait()
			assert.EqualValues(t, 50, good.Load())
			assert.LessOrEqual(t, l.over, c.most)
			t.Logf("%s: %d requests, %d met a 429", name, l.asked, l.over)
		})
	}
}

// TestACooldownHoldsOtherCalls, their first attempts included, but no other host's.
func TestACooldownHoldsOtherCalls(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Policy)
		step step
		held bool
	}{
		{"429 with a wait", nil, status(429, "Retry-After", "10"), true},
		{"503 with a wait", nil, status(503, "Retry-After", "10"), true},
		{"500 with a wait", nil, status(500, "Retry-After", "10"), false},
		{"429 without", nil, status(429), false},
		{"Classify's wait", func(p *Policy) {
			p.Classify = func(_ *http.Request, r *http.Response, _ error, _ int) (d Decision) {
				if r.StatusCode == 403 {
					d = Decision{Verdict: Retry, Wait: 10 * time.Second}
				}
				return d
			}
		}, status(403), true},
		{"ignored", func(p *Policy) { p.IgnoreRetryAfter = true }, status(429, "Retry-After", "10"), false},
		{"no key", func(p *Policy) { p.Cooldown.Key = func(*http.Request) string { return "" } }, status(429, "Retry-After", "10"), false},
		{"absurd spread", func(p *Policy) { p.Cooldown.Spread = math.MaxInt64 }, status(429, "Retry-After", "10"), true},
		{"least spread", func(p *Policy) { p.Cooldown.Spread = math.MinInt64 }, status(429, "Retry-After", "10"), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := Policy{Backoff: Constant(0), Cooldown: new(Cooldown)}
			if c.edit != nil {
				c.edit(&p)
			}
			rt := &RetryTransport{Base: script(c.step, status(200)), Policy: p}
			go rt.RoundTrip(request(t, "GET", "http://api.test/", nil))
			synctest.Wait()
			start := time.Now()
			ctx, record := WithRecord(t.Context())
			resp, err := rt.RoundTrip(request(t, "POST", "http://API.test:80/x", nil).WithContext(ctx))
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			took, a := time.Since(start), record.Calls()[0][0]
			assert.Equal(t, took, a.Held, c.name)
			if c.held {
				assert.GreaterOrEqual(t, took, 10*time.Second, c.name)
				assert.Less(t, took, 20*time.Second, c.name)
				assert.Contains(t, record.String(), "held back for 1")
			} else {
				assert.Zero(t, took, c.name)
			}
			start = time.Now()
			_, err = rt.RoundTrip(request(t, "GET", "http://other.test/", nil))
			require.NoError(t, err)
			assert.Zero(t, time.Since(start), c.name)
		})
	}
}

// TestAPauseThatIsTooLong ends a call at once, without asking the server.
func TestAPauseThatIsTooLong(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		within time.Duration
	}{
		"MaxRetryAfter": {Policy{MaxRetryAfter: time.Minute}, time.Hour},
		"negative":      {Policy{MaxRetryAfter: math.MinInt64}, time.Hour},
		"deadline":      {Policy{MaxRetryAfter: time.Hour}, time.Minute},
		"MaxElapsed":    {Policy{MaxRetryAfter: time.Hour, MaxElapsed: time.Minute}, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := script(status(429, "Retry-After", "300"), status(200))
			c.policy.Cooldown = new(Cooldown)
			rt := &RetryTransport{Base: b, Policy: c.policy}
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			resp, err := rt.RoundTrip(request(t, "GET", "http://api.test/", nil).WithContext(ctx))
			require.NoError(t, err, "the response that asks is the caller's")
			assert.Equal(t, 429, resp.StatusCode)
			body := &closes{Reader: http.NoBody}
			_, err = rt.RoundTrip(request(t, "POST", "http://api.test/", body).WithContext(ctx))
			var e *Error
			require.ErrorAs(t, err, &e, name)
			assert.Equal(t, ReasonCooldown, e.Reason, name)
			assert.Zero(t, e.Attempts)
			assert.Equal(t, 300*time.Second, time.Until(e.Until), name)
			assert.Contains(t, err.Error(), "insist: no attempt was made: the service asked for a pause until 2000-01-01T00:05:00Z")
			assert.Len(t, b.Arrivals(), 1, name)
			assert.Equal(t, 1, body.n, name)
			time.Sleep(301 * time.Second)
			resp, err = rt.RoundTrip(request(t, "GET", "http://api.test/", nil))
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
		})
	}
}

// TestAPauseThatBeginsDuringAnAttempt: if it is too long, the call ends with the response or
// error that it has; else it waits.
func TestAPauseThatBeginsDuringAnAttempt(t *testing.T) {
	for _, c := range []struct {
		pause string
		tries int
		least time.Duration
	}{{"60", 1, time.Second}, {"20", 2, 20 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var slow openBodies
			p := Policy{Name: "call", Backoff: Constant(0), Cooldown: new(Cooldown), RetryableStatus: StatusAbove(499)}
			b := script(slow.after(time.Second, status(503)), status(429, "Retry-After", c.pause), status(200))
			rt := &RetryTransport{Base: b, Policy: p}
			go func() {
				synctest.Wait() // the first request is in flight
				rt.RoundTrip(request(t, "GET", "http://x/", nil))
			}()
			start := time.Now()
			ctx, record := WithRecord(t.Context())
			resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			require.NoError(t, err)
			resp.Body.Close()
			assert.Len(t, record.Calls()[0], c.tries)
			took := time.Since(start)
			assert.GreaterOrEqual(t, took, c.least)
			if c.tries == 1 {
				assert.Equal(t, 503, resp.StatusCode)
				assert.Equal(t, c.least, took)
				assert.Equal(t, ReasonWait, record.Calls()[0][0].Reason)
			}

			start = time.Now()
			go func() {
				synctest.Wait()
				seconds, _ := time.ParseDuration(c.pause + "s")
				once := p
				once.MaxAttempts = 1
				Run(t.Context(), once, func(context.Context) error { return retryLater{seconds} })
			}()
			calls := 0
			err = Run(t.Context(), p, func(context.Context) error {
				if calls++; calls == 1 {
					time.Sleep(time.Second)
					return errLost
				}
				return nil
			})
			assert.Equal(t, c.tries, calls)
			if took = time.Since(start); c.tries == 1 {
				assert.Equal(t, errLost, err)
				assert.Equal(t, c.least, took)
			} else {
				assert.NoError(t, err)
				assert.GreaterOrEqual(t, took, c.least)
			}
		})
	}
}

// A call of one attempt is held back within MaxElapsed, too.
func TestACooldownHoldsASingleAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(429, "Retry-After", "3"), status(200))
		rt := &RetryTransport{Base: b, Policy: Policy{MaxAttempts: 1, MaxElapsed: time.Minute, Cooldown: new(Cooldown)}}
		for _, want := range []int{429, 200} {
			resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, want, resp.StatusCode)
		}
		assert.GreaterOrEqual(t, b.Waits()[0], 3*time.Second)
	})
}

// TestACooldownEndsWithTheContext.
func TestACooldownEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(429, "Retry-After", "20"))
		rt := &RetryTransport{Base: b, Policy: Policy{MaxAttempts: 1, Cooldown: new(Cooldown)}}
		rt.RoundTrip(request(t, "GET", "http://api.test/", nil))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := rt.RoundTrip(request(t, "GET", "http://api.test/", nil).WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Len(t, b.Arrivals(), 1)
	})
}

// TestACooldownOfFunctions: those with a name share it.
func TestACooldownOfFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Name: "publish", Backoff: Constant(0), Cooldown: new(Cooldown), MaxRetryAfter: time.Minute}
		busy := true
		publish := func(context.Context) error {
			if busy {
				busy = false
				return retryLater{10 * time.Second}
			}
			return nil
		}
		go Run(t.Context(), p, publish)
		synctest.Wait()
		start := time.Now()
		require.NoError(t, Run(t.Context(), p, publish))
		assert.GreaterOrEqual(t, time.Since(start), 10*time.Second)

		p.MaxRetryAfter = time.Second
		assert.Error(t, Run(t.Context(), p, func(context.Context) error { return retryLater{time.Minute} }))
		err := Run(t.Context(), p, publish)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, ReasonCooldown, e.Reason)
		assert.Equal(t, time.Minute, time.Until(e.Until))
		tries, failed := Attempts(t.Context(), p)
		for range tries {
			t.Error("a try")
		}
		assert.ErrorAs(t, failed(), &e)

		p.Name = ""
		start = time.Now()
		require.NoError(t, Run(t.Context(), p, publish), "without a name")
		assert.Zero(t, time.Since(start))
	})
}

// TestAKeyThatPanics passes through, and the body is closed.
func TestAKeyThatPanics(t *testing.T) {
	for name, p := range map[string]Policy{
		"Cooldown":       {Cooldown: &Cooldown{Key: func(*http.Request) string { panic("key") }}},
		"IdempotencyKey": {IdempotencyKey: func(*http.Request) string { panic("key") }},
	} {
		body := &closes{Reader: http.NoBody}
		rt := &RetryTransport{Base: script(status(429, "Retry-After", "1")), Policy: p}
		assert.Panics(t, func() { rt.RoundTrip(request(t, "POST", "http://x/", body)) }, name)
		assert.Equal(t, 1, body.n, name)
	}
}

// TestRetryAfterJitter: never earlier than asked, and no further than allowed.
func TestRetryAfterJitter(t *testing.T) {
	for _, jitter := range []time.Duration{0, -1, time.Second, math.MaxInt64, math.MinInt64} {
		seen := map[time.Duration]bool{}
		for range 50 {
			synctest.Test(t, func(t *testing.T) {
				p := Policy{Backoff: Constant(time.Second), RetryAfterJitter: jitter}
				rt := &RetryTransport{Base: script(status(429, "Retry-After", "3"), status(200)), Policy: p}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				took := time.Since(start)
				assert.GreaterOrEqual(t, took, 3*time.Second)
				if jitter <= time.Second {
					assert.LessOrEqual(t, took, 3*time.Second+max(0, jitter))
				}
				seen[took] = true
			})
		}
		assert.Equal(t, jitter == time.Second, len(seen) > 10, "%v: %d", jitter, len(seen))
	}
}

// TestJitterDoesNotOverflow: the longest waits are not made shorter.
func TestJitterDoesNotOverflow(t *testing.T) {
	p := Policy{RetryAfterJitter: math.MaxInt64}
	for _, wait := range []time.Duration{1, time.Hour, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64} {
		for range 50 {
			assert.GreaterOrEqual(t, p.jittered(wait), wait)
		}
	}
}

// TestIgnoreRetryAfter: Backoff alone decides.
func TestIgnoreRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Backoff: Constant(time.Second), IgnoreRetryAfter: true, MaxRetryAfter: -1}
		rt := &RetryTransport{Base: script(status(429, "Retry-After", "3600"), status(503, "retry-after-ms", "9"), status(200)), Policy: p}
		start := time.Now()
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, 2*time.Second, time.Since(start))
		n := 0
		assert.NoError(t, Run(t.Context(), p, func(context.Context) error {
			if n++; n < 3 {
				return retryLater{time.Hour}
			}
			return nil
		}))
		assert.Equal(t, 4*time.Second, time.Since(start))
	})
}

// TestIdempotencyKey: one for all attempts of a call, and it makes a POST idempotent.
func TestIdempotencyKey(t *testing.T) {
	n := 0
	p := Policy{Backoff: Constant(0), IdempotencyKey: func(*http.Request) string {
		if n++; n == 4 {
			return ""
		}
		return "key-" + string(rune('0'+n))
	}}
	b := script(fails(errLost), status(503), status(200))
	rt := &RetryTransport{Base: b, Policy: p}
	req := request(t, "POST", "http://x/", nil)
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	require.Len(t, b.Arrivals(), 3)
	for _, a := range b.Arrivals() {
		assert.Equal(t, []string{"key-1"}, a.Header["Idempotency-Key"])
	}
	assert.Empty(t, req.Header)
	for i, c := range []struct {
		method string
		header http.Header
		policy func(*Policy)
		want   []string
		calls  int
	}{
		{"POST", nil, nil, []string{"key-2"}, 2},
		{"PATCH", nil, func(p *Policy) { p.MaxAttempts = 1 }, []string{"key-3"}, 3},
		{"POST", nil, nil, nil, 4},
		{"GET", nil, nil, nil, 4},
		{"POST", http.Header{"Idempotency-Key": {"own"}}, nil, []string{"own"}, 4},
		{"POST", http.Header{"X-Idempotency-Key": {"own"}}, nil, nil, 4},
		{"GET", nil, func(p *Policy) { p.Idempotent = func(*http.Request) bool { return false } }, []string{"key-5"}, 5},
		{"POST", nil, func(p *Policy) { p.PerAttemptTimeout = time.Hour }, []string{"key-6"}, 6},
	} {
		b := script(status(200))
		q := p
		if c.policy != nil {
			c.policy(&q)
		}
		req := request(t, c.method, "http://x/", nil)
		if c.header != nil {
			req.Header = c.header
		}
		_, err := (&RetryTransport{Base: b, Policy: q}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, c.want, b.Arrivals()[0].Header["Idempotency-Key"], i)
		assert.Equal(t, c.calls, n, i)
	}
	var e *Error
	assert.False(t, errors.As(err, &e))
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds()+1, 10) }
