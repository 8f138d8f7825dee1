package insist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// after is a step that takes d, or until the request's context ends, and counts the
// response bodies that are not closed.
func (o *openBodies) after(d time.Duration, s step) step {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			io.ReadAll(r.Body)
		}
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			o.canceled.Add(1)
			return nil, r.Context().Err()
		}
		resp, err := s(r)
		if resp != nil {
			o.open.Add(1)
			resp.Body = &openBody{resp.Body, o, sync.Once{}}
		}
		return resp, err
	}
}

type openBodies struct{ open, canceled atomic.Int32 }

type openBody struct {
	io.ReadCloser
	of   *openBodies
	once sync.Once
}

func (b *openBody) Close() error {
	b.once.Do(func() { b.of.open.Add(-1) })
	return b.ReadCloser.Close()
}

// TestHedge is a line per case: what each attempt does, and what comes of it.
func TestHedge(t *testing.T) {
	const ms = time.Millisecond
	type attempts []func(*openBodies) step
	takes := func(d time.Duration, s step) func(*openBodies) step {
		return func(o *openBodies) step { return o.after(d, s) }
	}
	for _, c := range []struct {
		name     string
		method   string
		edit     func(*Policy)
		attempts attempts
		status   int
		took     time.Duration
		record   string
	}{
		{"fast", "GET", nil, attempts{takes(50*ms, status(200))}, 200, 50 * ms, "200"},
		{"slow", "GET", nil, attempts{takes(time.Hour, status(200)), takes(50*ms, status(200))}, 200, 150 * ms, "1 overtaken, 200"},
		{"the hedge is slower", "GET", nil, attempts{takes(150*ms, status(200)), takes(time.Hour, status(200))}, 200, 150 * ms, "2 overtaken, 200"},
		{"a failed hedge does not end the first", "GET", nil, attempts{takes(180*ms, status(200)), takes(10*ms, status(503))}, 200, 180 * ms, "2 status, 200"},
		{"a failed hedge is followed by another", "GET", nil, attempts{takes(time.Hour, status(200)), takes(10*ms, status(503)), takes(10*ms, status(200))}, 200, 210 * ms, "2 status, 1 overtaken, 200"},
		{"a failed first does not end the hedge", "GET", nil, attempts{takes(120*ms, fails(errLost)), takes(80*ms, status(200))}, 200, 180 * ms, "1 error, 200"},
		{"both fail", "GET", nil, attempts{takes(120*ms, status(503)), takes(50*ms, status(500)), takes(0, status(200))}, 200, 150 * ms, "1 status, 2 status, 200"},
		{"a body that says no", "GET", func(p *Policy) { p.RetryableBody = JSONFieldNot("/ok", true) },
			attempts{takes(180*ms, jsonBody(`{"ok": true}`)), takes(10*ms, jsonBody(`{"ok": false}`))}, 200, 180 * ms, "2 condition, 200"},
		{"no hedge after an error", "GET", nil, attempts{takes(10*ms, fails(errLost)), takes(time.Second, status(200))}, 200, 1010 * ms, "1 error, 200"},
		{"three at a time", "GET", func(p *Policy) { p.Hedge.Extra = 2 },
			attempts{takes(time.Hour, status(200)), takes(time.Hour, status(200)), takes(10*ms, status(200))}, 200, 210 * ms, "1 overtaken, 2 overtaken, 200"},
		{"MaxAttempts", "GET", func(p *Policy) { p.MaxAttempts = 1 }, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"MaxAttempts used up", "GET", func(p *Policy) { p.MaxAttempts = 2 },
			attempts{takes(120*ms, status(503)), takes(50*ms, status(500))}, 500, 150 * ms, "1 status, 500"},
		{"not idempotent", "POST", nil, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"a key", "POST", func(p *Policy) { p.IdempotencyKey = func(*http.Request) string { return "k" } },
			attempts{takes(time.Hour, status(200)), takes(50*ms, status(200))}, 200, 150 * ms, "1 overtaken, 200"},
		{"off", "GET", func(p *Policy) { p.Hedge.Delay = -1 }, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"no extra", "GET", func(p *Policy) { p.Hedge.Extra = -1 }, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"no share", "GET", func(p *Policy) { p.Hedge.Share = -1 }, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"an empty budget", "GET", func(p *Policy) { p.Budget = &Budget{Reserve: -1} }, attempts{takes(time.Second, status(200))}, 200, time.Second, "200"},
		{"a budget of one", "GET", func(p *Policy) { p.Budget = &Budget{Reserve: 1, PerSuccess: -1}; p.MaxAttempts = 2 },
			attempts{takes(time.Hour, status(200)), takes(50*ms, status(200))}, 200, 150 * ms, "1 overtaken, 200"},
		{"PerAttemptTimeout", "GET", func(p *Policy) { p.PerAttemptTimeout = 300 * ms },
			attempts{takes(time.Hour, status(200)), takes(time.Hour, status(200)), takes(10*ms, status(200))}, 200, 410 * ms, "1 error, 2 error, 200"},
		{"both fail, and the first asks for a wait", "GET", nil,
			attempts{takes(120*ms, status(503, "Retry-After", "10")), takes(50*ms, status(500)), takes(0, status(200))}, 200, 10120 * ms, "1 status, 2 status, 200"},
		{"the first asks for a wait that is too long", "GET", nil,
			attempts{takes(120*ms, status(503, "Retry-After", "60")), takes(50*ms, status(500))}, 500, 150 * ms, "1 status, 500"},
		{"no hedge begins before a wait has ended", "GET", nil,
			attempts{takes(120*ms, status(503, "Retry-After", "10")), takes(time.Hour, status(200)), takes(10*ms, status(200))}, 200, 10130 * ms, "1 status, 2 overtaken, 200"},
		{"Stop ends it", "GET", func(p *Policy) {
			p.Classify = func(_ *http.Request, r *http.Response, err error, _ int) (d Decision) {
				if err != nil {
					d.Verdict = Stop
				}
				return d
			}
		}, attempts{takes(time.Hour, status(200)), takes(50*ms, fails(errLost))}, 0, 150 * ms, "1 overtaken, decision"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := Policy{Backoff: Constant(0), RetryableStatus: StatusAbove(499), Hedge: &Hedge{Delay: 100 * ms}}
				if c.edit != nil {
					c.edit(&p)
				}
				var open openBodies
				var steps []step
				for _, a := range c.attempts {
					steps = append(steps, a(&open))
				}
				b := script(steps...)
				ctx, record := WithRecord(t.Context())
				var reported []int
				p.OnAttempt = func(_ context.Context, a Attempt) { reported = append(reported, a.Number) }
				start := time.Now()
				resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, c.method, "http://x/", strings.NewReader("hello")).WithContext(ctx))
				assert.Equal(t, c.took, time.Since(start))
				if c.status != 0 {
					require.NoError(t, err)
					assert.Equal(t, c.status, resp.StatusCode)
					io.ReadAll(resp.Body)
					resp.Body.Close()
				} else {
					assert.ErrorIs(t, err, errLost)
				}
				synctest.Wait()
				assert.Zero(t, open.open.Load(), "bodies that are open")
				assert.Len(t, b.Arrivals(), len(c.attempts))
				for _, a := range b.Arrivals() {
					assert.Equal(t, "hello", string(a.Body))
				}
				assert.Equal(t, c.record, overlap(record.Calls()[0]))
				assert.Len(t, reported, len(c.attempts))
			})
		})
	}
}

func jsonBody(body string) step {
	return func(*http.Request) (*http.Response, error) {
		resp := response(200, "Content-Type", "application/json")
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		return resp, nil
	}
}

// overlap is what a record says about attempts, all but the last one by number.
func overlap(attempts []Attempt) string {
	var all []string
	for i, a := range attempts {
		switch last := i == len(attempts)-1; {
		case last && a.Status != 0:
			all = append(all, strconv.Itoa(a.Status))
		case last:
			all = append(all, string(a.Reason))
		default:
			all = append(all, strconv.Itoa(a.Number)+" "+string(a.Reason))
		}
	}
	return strings.Join(all, ", ")
}

// TestAHedgeIsOnRecord: what overlapped can be seen.
func TestAHedgeIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		b := script(open.after(time.Hour, status(200)), open.after(50*time.Millisecond, status(200)))
		ctx, record := WithRecord(t.Context())
		rt := &RetryTransport{Base: b, Policy: Policy{Hedge: &Hedge{Delay: 100 * time.Millisecond}}}
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		resp.Body.Close()
		const ms = time.Millisecond
		assert.Equal(t, []Attempt{
			{Number: 1, Method: "GET", Host: "x", Duration: 150 * ms, Retry: true, Reason: ReasonOvertaken},
			{Number: 2, Method: "GET", Host: "x", Status: 200, Duration: 50 * ms, Beside: 100 * ms, Reason: ReasonSuccess},
		}, record.Calls()[0])
		assert.Equal(t, "no response after 150ms (overtaken)", record.Calls()[0][0].String())
		assert.Equal(t, "begun 100ms beside, 200 after 50ms (success)", record.Calls()[0][1].String())
		assert.Equal(t, "GET x: 2 attempts in 150ms: no response after 150ms (overtaken); begun 100ms beside, 200 after 50ms (success)", record.String())
	})
}

// TestWhatOverlappedAddsUp: an attempt that begins after a hedge has failed is told from
// when that one began, and the call takes no longer than it took.
func TestWhatOverlappedAddsUp(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		b := script(open.after(250*ms, status(503)), open.after(10*ms, status(503)), open.after(20*ms, status(503)), open.after(30*ms, status(200)))
		ctx, record := WithRecord(t.Context())
		rt := &RetryTransport{Base: b, Policy: Policy{MaxAttempts: 4, Backoff: Constant(50 * ms), Hedge: &Hedge{Delay: 100 * ms}}}
		start := time.Now()
		resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 330*ms, time.Since(start))
		assert.Equal(t, "GET x: 4 attempts in 330ms: begun 100ms beside, 503 after 10ms (status), wait 0s; "+
			"begun 100ms beside, 503 after 20ms (status), wait 0s; 503 after 250ms (status), wait 50ms; 200 after 30ms (success)", record.String())
	})
}

// TestTheDelayFollowsTheHost: none while little is known, then a high quantile.
func TestTheDelayFollowsTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(Hedge)
		slow := false
		var n atomic.Int32
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			d := 20 * time.Millisecond
			if slow && AttemptNumber(r.Context()) == 1 {
				d = 10 * time.Second
			}
			select {
			case <-time.After(d):
				return response(200), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		rt := &RetryTransport{Base: b, Policy: Policy{Hedge: h}}
		call := func() time.Duration {
			start := time.Now()
			_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			return time.Since(start)
		}
		slow = true
		assert.Equal(t, 10*time.Second, call(), "nothing known yet")
		slow = false
		for range 100 {
			call()
		}
		before := n.Load()
		slow = true
		time.Sleep(2 * time.Second)
		took := call()
		assert.Less(t, took, 60*time.Millisecond)
		assert.Greater(t, took, 40*time.Millisecond)
		assert.Equal(t, before+2, n.Load())
	})
}

// TestHedgesOfASlowService are bounded: where everything is slow the delay follows, and
// where everything fails the share is soon spent.
func TestHedgesOfASlowService(t *testing.T) {
	for name, c := range map[string]struct {
		hedge  *Hedge
		fails  bool
		budget *Budget
		factor float64
	}{
		"everything slow":          {new(Hedge), false, nil, 1.05},
		"everything slow, fixed":   {&Hedge{Delay: 10 * time.Millisecond}, false, nil, 1.05},
		"everything fails":         {new(Hedge), true, nil, 1.02},
		"everything fails, fixed":  {&Hedge{Delay: 10 * time.Millisecond}, true, nil, 1.02},
		"a share of its own":       {&Hedge{Delay: time.Millisecond, Share: 0.01}, false, nil, 1.02},
		"a share that is no share": {&Hedge{Delay: time.Millisecond, Share: math.NaN()}, false, nil, 1.01},
		"slow, and a budget":       {new(Hedge), false, new(Budget), 1.05},
		"fails, and a budget":      {new(Hedge), true, new(Budget), 1.02},
	} {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			rt := &RetryTransport{Policy: Policy{Hedge: c.hedge, Budget: c.budget, RetryableStatus: func(int) bool { return false }}}
			var random latencies
			slow := false
			rt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				n.Add(1)
				d := random.exp(20 * time.Millisecond)
				if slow {
					d *= 10
				}
				select {
				case <-time.After(d):
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
				if slow && c.fails {
					return nil, Permanent(errLost)
				}
				return response(200), nil
			})
			for range 500 {
				rt.RoundTrip(request(t, "GET", "http://x/", nil))
			}
			slow = true
			before := n.Load()
			for range 1000 {
				rt.RoundTrip(request(t, "GET", "http://x/", nil))
			}
			assert.LessOrEqual(t, float64(n.Load()-before), 1000*c.factor, name)
		})
	}
}

// TestHedgesDrawOnTheHostsBudget: on the bucket that the host's good calls pay into.
func TestHedgesDrawOnTheHostsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 60
		slow := false
		var n atomic.Int32
		rt := &RetryTransport{Policy: Policy{Budget: new(Budget), Hedge: &Hedge{Delay: 100 * time.Millisecond, Share: 1}}}
		rt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			takes := time.Millisecond
			if slow && AttemptNumber(r.Context()) == 1 {
				takes = time.Hour
			}
			select {
			case <-time.After(takes):
				return response(200), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		start := time.Now()
		for i := range calls {
			slow = i%3 == 0 // the budget pays for 0.4 hedges of each call
			_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
		}
		assert.EqualValues(t, calls+calls/3, n.Load())
		assert.Less(t, time.Since(start), time.Minute)
	})
}

// TestAFutileHedge: where a call's hedges are slow as well, there are no others until
// calls have paid for them.
func TestAFutileHedge(t *testing.T) {
	for _, c := range []struct {
		name        string
		extra, most int
		takes       []time.Duration // the attempts of the first call; those of the others take too long
		requests    int             // of the first call and of another five
	}{
		{"a fast hedge", 0, 0, []time.Duration{time.Hour, time.Millisecond}, 2 + 5*2},
		{"a slow hedge", 0, 0, []time.Duration{time.Hour, 90 * time.Millisecond}, 2 + 5*2},
		{"a futile one", 0, 0, []time.Duration{time.Hour, 150 * time.Millisecond}, 2 + 5},
		{"the last of two is fast", 2, 0, []time.Duration{time.Hour, time.Hour, time.Millisecond}, 3 + 5*2},
		{"both are futile", 2, 0, []time.Duration{time.Hour, time.Hour, 150 * time.Millisecond}, 3 + 5},
		{"no further attempt is allowed", 2, 2, []time.Duration{time.Hour, 150 * time.Millisecond}, 2 + 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int32
				rt := &RetryTransport{Policy: Policy{
					MaxAttempts: c.most, Hedge: &Hedge{Delay: 100 * time.Millisecond, Extra: c.extra, Share: 1e-3},
				}}
				rt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
					takes := time.Hour
					if i := int(n.Add(1)); i <= len(c.takes) {
						takes = c.takes[i-1]
					}
					select {
					case <-time.After(takes):
						return response(200), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				for i := range 6 {
					limit := 150 * time.Millisecond // only one hedge, and it is not futile
					if i == 0 {
						limit = time.Minute
					}
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
					cancel()
				}
				assert.EqualValues(t, c.requests, n.Load())
			})
		})
	}
}

// latencies are random, and the same in each run: by chance, one of some hundred runs has
// more slow ones than a test allows for.
type latencies struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (l *latencies) exp(mean time.Duration) time.Duration {
	return time.Duration(l.next().ExpFloat64() * float64(mean))
}

func (l *latencies) oneIn(n int) bool { return l.next().IntN(n) == 0 }

// next returns a source for one number.
func (l *latencies) next() *rand.Rand {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rand == nil {
		l.rand = rand.New(rand.NewPCG(1, 2))
	}
	return rand.New(rand.NewPCG(l.rand.Uint64(), 2))
}

// TestTheTail: with a slow one in a hundred, hedging brings the tail down by an order of
// magnitude for under 5 % more load.
func TestTheTail(t *testing.T) {
	tail := func(h *Hedge) (p999 time.Duration, load float64) {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			var random latencies
			rt := &RetryTransport{Policy: Policy{Hedge: h}}
			rt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				n.Add(1)
				d := 8*time.Millisecond + random.exp(2*time.Millisecond)
				if random.oneIn(100) {
					d = time.Second
				}
				select {
				case <-time.After(d):
					return response(200), nil
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			})
			const calls = 5000
			var took []time.Duration
			for range calls {
				start := time.Now()
				_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				took = append(took, time.Since(start))
			}
			took = took[200:] // warm
			p999, load = quantile(took, 0.999), float64(n.Load())/calls
		})
		return p999, load
	}
	bare, _ := tail(nil)
	hedged, load := tail(new(Hedge))
	t.Logf("p99.9 without %v, with %v, load %.3f", bare, hedged, load)
	assert.Less(t, 10*hedged, bare)
	assert.Less(t, load, 1.05)
}

func quantile(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(share*float64(len(sorted)-1))]
}

// TestACooledDownHostIsNotHedged.
func TestACooledDownHostIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cooldown := new(Cooldown)
		var open openBodies
		b := script(open.after(time.Second, status(200)))
		rt := &RetryTransport{Base: b, Policy: Policy{Hedge: &Hedge{Delay: 100 * time.Millisecond}, Cooldown: cooldown}}
		go func() {
			time.Sleep(50 * time.Millisecond)
			other := &RetryTransport{Base: script(status(429, "Retry-After", "20")), Policy: Policy{MaxAttempts: 1, Cooldown: cooldown}}
			other.RoundTrip(request(t, "GET", "http://x/", nil))
		}()
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Len(t, b.Arrivals(), 1)
	})
}

// TestAPauseThatAHedgedAttemptIsAskedFor holds other calls back, also if the hedge then
// brings the result.
func TestAPauseThatAHedgedAttemptIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		const ms = time.Millisecond
		b := script(open.after(120*ms, status(429, "Retry-After", "10")), open.after(80*ms, status(200)), status(200))
		rt := &RetryTransport{Base: b, Policy: Policy{Hedge: &Hedge{Delay: 100 * ms}, Cooldown: new(Cooldown)}}
		for range 2 {
			resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			resp.Body.Close()
		}
		require.Len(t, b.Arrivals(), 3)
		assert.GreaterOrEqual(t, b.Waits()[1], 10*time.Second)
	})
}

// TestARaceThatWasHeldBack: Held is the first attempt's, whichever attempt wins.
func TestARaceThatWasHeldBack(t *testing.T) {
	const ms = time.Millisecond
	for _, first := range []time.Duration{time.Hour, 120 * ms} {
		synctest.Test(t, func(t *testing.T) {
			var open openBodies
			b := script(status(429, "Retry-After", "10"), open.after(first, status(200)), open.after(50*ms, status(200)))
			p := Policy{MaxAttempts: 1, Cooldown: &Cooldown{Spread: -1}}
			_, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			p.MaxAttempts, p.Hedge = 2, &Hedge{Delay: 100 * ms}
			ctx, record := WithRecord(t.Context())
			start := time.Now()
			resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			require.NoError(t, err)
			resp.Body.Close()
			held := map[int]time.Duration{}
			for _, a := range record.Calls()[0] {
				held[a.Number] = a.Held
			}
			assert.Equal(t, map[int]time.Duration{1: 10 * time.Second, 2: 0}, held)
			assert.Contains(t, record.String(), "2 attempts in "+time.Since(start).Round(100*ms).String())
		})
	}
}

// TestAHookThatPanicsInARace leaves nothing open of the attempts in flight, and the one that
// is overtaken is canceled.
func TestAHookThatPanicsInARace(t *testing.T) {
	const ms = time.Millisecond
	for name, edit := range map[string]func(*Policy){
		"Classify": func(p *Policy) {
			p.Classify = func(*http.Request, *http.Response, error, int) Decision { panic("boom") }
		},
		"status": func(p *Policy) { p.RetryableStatus = func(int) bool { panic("boom") } },
		"condition": func(p *Policy) {
			p.RetryableBody = func(*http.Request, *http.Response, int, io.Reader) Decision { panic("boom") }
		},
		"OnAttempt": func(p *Policy) { p.OnAttempt = func(context.Context, Attempt) { panic("boom") } },
		"Prepare":   func(p *Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { panic("boom") } },
	} {
		for _, first := range []int{200, 503} {
			synctest.Test(t, func(t *testing.T) {
				var open openBodies
				b := script(open.after(120*ms, status(first)), open.after(200*ms, status(200)))
				p := Policy{Backoff: Constant(0), Hedge: &Hedge{Delay: 100 * ms}}
				edit(&p)
				body := &closes{Reader: strings.NewReader("hello")}
				assert.PanicsWithValue(t, "boom", func() {
					(&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "PUT", "http://x/", body))
				}, name)
				synctest.Wait()
				assert.Zero(t, open.open.Load(), name)
				assert.EqualValues(t, 1, open.canceled.Load(), name)
				assert.Equal(t, 1, body.n, name)
			})
		}
	}
}

// TestWhatABaseDoesInARace reaches the caller: a panic, the end of the goroutine.
func TestWhatABaseDoesInARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		b := script(open.after(time.Hour, status(200)), func(*http.Request) (*http.Response, error) { panic("boom") })
		rt := &RetryTransport{Base: b, Policy: Policy{Hedge: &Hedge{Delay: time.Second}}}
		assert.PanicsWithValue(t, "boom", func() { rt.RoundTrip(request(t, "GET", "http://x/", nil)) })
		synctest.Wait()
		assert.EqualValues(t, 1, open.canceled.Load())

		b = script(open.after(time.Hour, status(200)), func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })
		rt.Base = b
		ended := make(chan bool, 1)
		go func() {
			defer close(ended)
			rt.RoundTrip(request(t, "GET", "http://x/", nil))
			ended <- true
		}()
		assert.False(t, <-ended, "RoundTrip returned")
		synctest.Wait()
		assert.EqualValues(t, 2, open.canceled.Load())

		rt = &RetryTransport{Base: script(open.after(time.Hour, status(200)), open.after(0, status(200))), Policy: Policy{
			Hedge: &Hedge{Delay: time.Second}, RetryableStatus: func(int) bool { panic("rule") },
		}}
		assert.PanicsWithValue(t, "rule", func() { rt.RoundTrip(request(t, "GET", "http://x/", nil)) })
		synctest.Wait()
		assert.Zero(t, open.open.Load())
		assert.EqualValues(t, 3, open.canceled.Load())
	})
}

// TestARaceEndsWithTheContext.
func TestARaceEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		rt := &RetryTransport{Base: script(open.after(time.Hour, status(200))), Policy: Policy{Hedge: &Hedge{Delay: time.Second}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 5*time.Second, time.Since(start))
		synctest.Wait()
		assert.EqualValues(t, 2, open.canceled.Load())
	})
}

// TestManyHedgedCalls: ten thousand at once, with faults. Every body is whole, every
// loser is closed.
func TestManyHedgedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open openBodies
		var bad atomic.Int32
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			data, err := io.ReadAll(r.Body)
			if err == nil && string(data) != "hello" {
				bad.Add(1)
			}
			d := time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond))
			s := status(200)
			switch rand.IntN(10) {
			case 0:
				d *= 100
			case 1:
				s = status(503)
			case 2:
				s = fails(errLost)
			}
			return open.after(d, s)(r)
		})
		rt := &RetryTransport{Base: base, Policy: Policy{
			MaxAttempts: 5, Backoff: Constant(0), Hedge: &Hedge{Share: 1, Extra: 2}, PerAttemptTimeout: time.Minute,
		}}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				for range 100 {
					resp, err := rt.RoundTrip(request(t, "PUT", "http://x/", strings.NewReader("hello")))
					if err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					} else if !errors.Is(err, errLost) {
						bad.Add(1)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		assert.Zero(t, bad.Load())
		assert.Zero(t, open.open.Load())
		assert.Positive(t, open.canceled.Load())
	})
}

// TestAfterARace the caller may change the request, although the overtaken attempt is still
// in flight: it has its own head and body.
func TestAfterARace(t *testing.T) {
	for _, body := range []string{"", "hello"} {
		for _, first := range []bool{false, true} { // which attempt is overtaken
			synctest.Test(t, func(t *testing.T) {
				over, seen, n := make(chan bool), make(chan string), atomic.Int32{}
				rt := &RetryTransport{
					Base: roundTripper(func(r *http.Request) (*http.Response, error) {
						if (n.Add(1) == 1) == first {
							<-over
							got := fmt.Sprintln(r.Method, r.URL, r.Host, r.Header, r.Trailer, r.ContentLength)
							if r.GetBody != nil {
								for _, open := range []func() (io.ReadCloser, error){r.GetBody, func() (io.ReadCloser, error) { return r.Body, nil }} {
									b, err := open()
									if err != nil {
										continue
									}
									data, _ := io.ReadAll(b)
									got += string(data)
								}
							}
							seen <- got
							return status(200)(r)
						}
						time.Sleep(2 * time.Second)
						return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
					}),
					Policy: Policy{Hedge: &Hedge{Delay: time.Second}},
				}
				var from io.Reader
				if body != "" {
					from = strings.NewReader(body)
				}
				req := request(t, "PUT", "http://host/path", from)
				req.Header.Set("A", "b")
				req.Trailer = http.Header{"T": {"v"}}
				resp, err := rt.RoundTrip(req)
				require.NoError(t, err)
				assert.Same(t, req, resp.Request)
				close(over)
				req.Method, req.URL.Host, req.URL.Path, req.Host, req.ContentLength = "GET", "x", "/y", "z", 7
				req.Header["A"][0] = "c"
				req.Header.Set("B", "c")
				req.Trailer["T"][0] = "w"
				if body != "" {
					from.(*strings.Reader).Reset("other")
				}
				got := <-seen
				want := fmt.Sprintln("PUT http://host/path host map[A:[b]] map[T:[v]]", len(body))
				assert.True(t, strings.HasPrefix(got, want), got)
				assert.NotContains(t, got, "other")
			})
		}
	}
}

// TestAnOvertakenResponseIsClosed, whenever it comes: the base may ignore that the attempt
// was canceled.
func TestAnOvertakenResponseIsClosed(t *testing.T) {
	for _, first := range []bool{false, true} { // which attempt is overtaken
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			late, won := &insisttest.Body{Reader: strings.NewReader("late")}, &insisttest.Body{Reader: strings.NewReader("won")}
			rt := &RetryTransport{
				Base: roundTripper(func(r *http.Request) (*http.Response, error) {
					takes, body := 2*time.Second, won
					if (n.Add(1) == 1) == first {
						takes, body = time.Minute, late
					}
					time.Sleep(takes)
					return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
				}),
				Policy: Policy{Hedge: &Hedge{Delay: time.Second}},
			}
			resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			time.Sleep(time.Hour)
			assert.Equal(t, "won", text(t, resp))
			assert.Equal(t, 1, late.Closes())
			assert.Zero(t, won.Closes())
			resp.Body.Close()
		})
	}
}

// TestAnOvertakenAttemptKeepsNothing of the response that won in memory, if its base
// ignores that it was canceled.
func TestAnOvertakenAttemptKeepsNothing(t *testing.T) {
	for _, first := range []bool{false, true} { // which attempt is overtaken
		synctest.Test(t, func(t *testing.T) {
			var won weak.Pointer[[1 << 20]byte]
			var n atomic.Int32
			rt := &RetryTransport{
				Base: roundTripper(func(r *http.Request) (*http.Response, error) {
					if (n.Add(1) == 1) == first {
						time.Sleep(time.Hour)
						return nil, errLost
					}
					time.Sleep(2 * time.Second)
					large := new([1 << 20]byte)
					won = weak.Make(large)
					return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(large[:])), Request: r}, nil
				}),
				Policy: Policy{Hedge: &Hedge{Delay: time.Second}},
			}
			_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			runtime.GC()
			runtime.GC()
			assert.True(t, won.Value() == nil, "the first is overtaken: %v", first)
			time.Sleep(time.Hour)
		})
	}
}

// TestAHedgeWhoseGetBodyEndsItsGoroutine: the attempt in flight learns of that, too, and may
// end at the same time.
func TestAHedgeWhoseGetBodyEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		rt := &RetryTransport{Base: base, Policy: Policy{Hedge: &Hedge{Delay: time.Second}}}
		req := request(t, "PUT", "http://x/", io.NopCloser(strings.NewReader("hello")))
		req.Body = struct{ io.ReadCloser }{req.Body} // not known to be in memory
		req.GetBody = func() (io.ReadCloser, error) {
			runtime.Goexit()
			return nil, nil
		}
		returned := false
		var wg sync.WaitGroup
		wg.Go(func() {
			rt.RoundTrip(req)
			returned = true
		})
		wg.Wait()
		assert.False(t, returned)
	})
}
