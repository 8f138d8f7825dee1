package insist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ways are all ways to make a call whose every attempt fails. Each returns the
// number of attempts.
var ways = []struct {
	name string
	call func(ctx context.Context, p Policy) (attempts int)
}{
	{"RetryTransport", func(ctx context.Context, p Policy) (attempts int) {
		rt := &RetryTransport{Policy: p, Base: roundTripper(func(*http.Request) (*http.Response, error) {
			attempts++
			return nil, errLost
		})}
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
		_, _ = rt.RoundTrip(req)
		return attempts
	}},
	{"Do", func(ctx context.Context, p Policy) (attempts int) {
		_, _ = Do(ctx, p, func(context.Context) (int, error) { attempts++; return 0, errLost })
		return attempts
	}},
	{"Do, rejected value", func(ctx context.Context, p Policy) (attempts int) {
		_, _ = Do(ctx, p, func(context.Context) (int, error) { attempts++; return 1, nil }, func(n int) bool { return n == 1 })
		return attempts
	}},
	{"Run", func(ctx context.Context, p Policy) (attempts int) {
		_ = Run(ctx, p, func(context.Context) error { attempts++; return errLost })
		return attempts
	}},
	{"Func", func(ctx context.Context, p Policy) (attempts int) {
		_, _ = Func(p, func(context.Context, int) (int, error) { attempts++; return 0, errLost })(ctx, 1)
		return attempts
	}},
	{"Attempts", func(ctx context.Context, p Policy) (attempts int) {
		tries, _ := Attempts(ctx, p)
		for try := range tries {
			attempts++
			try.Fail(errLost)
		}
		return attempts
	}},
}

// However many attempts a policy allows, the first call that fails makes them.
func TestTheFirstCallGetsAllItsAttempts(t *testing.T) {
	for _, way := range ways {
		for _, c := range []struct {
			max           int
			budget        *Budget
			first, second int
		}{
			{0, &Budget{}, 3, 3},
			{1, &Budget{}, 1, 1},
			{5, &Budget{}, 5, 1},
			{6, &Budget{}, 6, 1},
			{100, &Budget{}, 100, 1},
			{6, &Budget{PerSuccess: -1}, 6, 1},
			{6, &Budget{Burst: -1}, 6, 1},
			{6, &Budget{Reserve: 2}, 6, 1},
			{6, &Budget{Reserve: 7}, 6, 3},
			{6, &Budget{Reserve: math.MaxInt}, 6, 6},
			{6, &Budget{Reserve: -1}, 1, 1}, // as was asked for
			{6, &Budget{Reserve: math.MinInt}, 1, 1},
			{1001, &Budget{}, 1001, 1},
			{1002, &Budget{}, 1001, 1},
			{math.MaxInt, &Budget{}, 1001, 1},
			{-1, &Budget{}, 1001, 1},
			{math.MinInt, &Budget{}, 1001, 1},
			{-1, &Budget{Reserve: -1}, 1, 1},
		} {
			p := Policy{MaxAttempts: c.max, Backoff: Constant(0), Budget: c.budget}
			got := []int{way.call(t.Context(), p), way.call(t.Context(), p)}
			assert.Equal(t, []int{c.first, c.second}, got, "%s, MaxAttempts %d, Reserve %d", way.name, c.max, c.budget.Reserve)
		}

		// After successes, too: the first attempt of all is one here.
		p := Standard()
		p.MaxAttempts, p.Backoff = 9, Constant(0)
		key := p.hostKey(&url.URL{Host: "x"})
		if way.name != "RetryTransport" {
			p.Name = "x"
			key = p.functionKey(0)
		}
		p.Budget.deposit(key, time.Now())
		assert.Equal(t, 9, way.call(t.Context(), p), way.name)
	}
}

// TestTheFirstHedgedCallGetsAllItsAttempts: its hedges and its retries draw on the same bucket.
func TestTheFirstHedgedCallGetsAllItsAttempts(t *testing.T) {
	for _, most := range []int{2, 5, 50} {
		for _, b := range []func() *Budget{
			func() *Budget { return new(Budget) }, func() *Budget { return &Budget{Reserve: 1, PerSuccess: -1, Burst: -1} },
		} {
			for _, s := range []step{status(503), fails(errLost)} {
				synctest.Test(t, func(t *testing.T) {
					var slow openBodies
					base := script(slow.after(150*time.Millisecond, s))
					hedge := &Hedge{Delay: 100 * time.Millisecond, Share: 5}
					rt := &RetryTransport{Base: base, Policy: Policy{MaxAttempts: most, Backoff: Constant(0), Budget: b(), Hedge: hedge}}
					resp, _ := rt.RoundTrip(request(t, "GET", "http://x/", nil))
					closeNow(resp)
					assert.Len(t, base.Arrivals(), most)
				})
			}
		}
	}
}

// A policy with more attempts than the one before it gets what is more.
func TestPoliciesThatShareABudget(t *testing.T) {
	for _, way := range ways {
		p := Policy{Backoff: Constant(0), Budget: new(Budget)}
		var got []int
		for _, p.MaxAttempts = range []int{2, 3, 10, 10} {
			got = append(got, way.call(t.Context(), p))
		}
		assert.Equal(t, []int{2, 3, 7, 1}, got, "%s: 9 retries in all", way.name)
	}
}

// Of calls that fail at the same time one makes all its attempts, whichever it is.
// The others share what there is beside it.
func TestTheFirstOfManyCallsAtOnce(t *testing.T) {
	for _, way := range ways {
		synctest.Test(t, func(t *testing.T) {
			p := Standard()
			p.MaxAttempts = 6
			var got [20]int
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = way.call(t.Context(), p) })
			}
			wg.Wait()
			all, n := 0, 0
			for _, attempts := range got {
				all += attempts
				if attempts == 6 {
					n++
				}
			}
			assert.GreaterOrEqual(t, n, 1, "%s: %v", way.name, got)
			assert.GreaterOrEqual(t, all, len(got)+5, way.name)
			assert.LessOrEqual(t, all, len(got)+10, way.name)
		})
	}
}

// That holds for a host that shares its bucket for want of room, and for one that was
// forgotten.
func TestTheFirstCallWhereThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{MaxAttempts: 10, Backoff: Constant(0), Budget: new(Budget)}
		call := ways[0].call
		assert.Equal(t, 10, call(t.Context(), p))
		for i := range maxBuckets - 1 {
			succeed(p.Budget, fmt.Sprint(i), time.Now())
		}
		named := p
		named.Name = "no room"
		assert.Equal(t, 10, ways[1].call(t.Context(), named), "the bucket that is shared")
		named.Name = "no room, either"
		assert.Equal(t, 1, ways[1].call(t.Context(), named))

		time.Sleep(2 * forgetBucket)
		assert.Equal(t, 10, ways[1].call(t.Context(), named), "its own bucket")
		assert.Equal(t, 10, call(t.Context(), p), "forgotten")
	})
}

// Progress in a download does not make the lease on retries longer.
func TestALeaseIsForOneCall(t *testing.T) {
	b := new(Budget)
	p := Policy{MaxAttempts: 4, Backoff: Constant(0), Budget: b}
	o := outcome{err: errLost, idempotent: true, replayable: true}
	made := 0
	for range 100 {
		o.number = 1 // as after progress
		if p.plan(t.Context(), &o, assessment{}).retry {
			made++
		}
	}
	assert.Equal(t, 4, made, "the reserve")
}

// Nor does one function that is down take the retries of another.
func TestEachFunctionHasItsBucket(t *testing.T) {
	p, n := Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 2, PerSuccess: -1}}, 0
	fail := func(context.Context) error { n++; return errLost }
	as := func(name string) Policy {
		p := p
		p.Name = name
		return p
	}
	s := outbox{&n}
	for _, c := range []struct {
		name string
		call func()
	}{
		{"a literal", func() { _ = Run(t.Context(), p, fail) }},
		{"another one", func() { _ = Run(t.Context(), p, func(context.Context) error { n++; return errLost }) }},
		{"Do", func() { _, _ = Do(t.Context(), p, func(context.Context) (int, error) { n++; return 0, errLost }) }},
		{"a method", func() { _, _ = Func(p, s.Put)(t.Context(), 1) }},
		{"another method", func() { _, _ = Func(p, s.Delete)(t.Context(), 1) }},
		{"a loop", func() {
			tries, _ := Attempts(t.Context(), p)
			for try := range tries {
				try.Fail(fail(try.Context()))
			}
		}},
		{"another loop", func() {
			tries, _ := Attempts(t.Context(), p)
			for try := range tries {
				try.Fail(fail(try.Context()))
			}
		}},
		{"a name", func() { _ = Run(t.Context(), as("publish"), fail) }},
		{"another name", func() { _ = Run(t.Context(), as("search"), fail) }},
		{"the name of a host", func() { _ = Run(t.Context(), as("x"), fail) }},
		{"the host, under the name of a function", func() {
			rt := &RetryTransport{Policy: as("publish"), Base: roundTripper(func(*http.Request) (*http.Response, error) {
				n++
				return nil, errLost
			})}
			_, _ = rt.RoundTrip(request(t, "GET", "http://x/", nil))
		}},
	} {
		n = 0
		c.call()
		assert.Equal(t, 3, n, "%s: the first call", c.name)
		c.call()
		assert.Equal(t, 4, n, "%s: the second call", c.name)
	}
}

type outbox struct{ attempts *int }

func (s outbox) Put(context.Context, int) (string, error) {
	*s.attempts++
	return "", errLost
}

func (s outbox) Delete(context.Context, int) (string, error) {
	*s.attempts++
	return "", errLost
}

// The same function has the same bucket, whatever calls it.
func TestOneFunctionHasOneBucket(t *testing.T) {
	p := Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 2, PerSuccess: -1}}
	n := 0
	fn := func(context.Context) error { n++; return errLost }
	_ = Run(t.Context(), p, fn)
	_ = Run(t.Context(), p, fn)
	assert.Equal(t, 4, n, "Run")

	one, other := outbox{&n}, outbox{&n}
	_, _ = Func(p, one.Put)(t.Context(), 1)
	_, err := Func(p, other.Put)(t.Context(), 1)
	assert.Equal(t, errLost, err, "another receiver")

	p.Name = "publish"
	n = 0
	_ = Run(t.Context(), p, func(context.Context) error { n++; return errLost })
	_, _ = Do(t.Context(), p, func(context.Context) (int, error) { n++; return 0, errLost })
	tries, _ := Attempts(t.Context(), p)
	for try := range tries {
		n++
		try.Fail(errLost)
	}
	assert.Equal(t, 5, n, "one name")
}

// A host has one bucket, however the request's URL writes it; the record has it as it
// is written.
func TestOneHostHasOneBucket(t *testing.T) {
	for _, c := range []struct{ one, other string }{
		{"http://api.test/", "http://API.test/"},
		{"http://api.test/", "http://api.test:80/"},
		{"https://api.test/", "https://Api.Test.:443/"},
		{"http://api.test:8080/", "http://API.test:08080/"},
		{"http://[::1]/", "http://[0:0:0:0:0:0:0:1]:80/"},
	} {
		p := Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 2, PerSuccess: 1}}
		failing := &RetryTransport{Base: script(status(503)), Policy: p}
		good := &RetryTransport{Base: script(status(200)), Policy: p}
		for _, hook := range []func(context.Context, Attempt){nil, func(context.Context, Attempt) {}} {
			good.Policy.OnAttempt = hook // nil: the fast path
			assert.Equal(t, ReasonAttempts, send(t, failing, c.one), c.one)
			assert.Equal(t, ReasonBudget, send(t, failing, c.other), c.other)
			for _, url := range []string{c.one, c.other} {
				_, err := good.RoundTrip(request(t, "GET", url, nil))
				require.NoError(t, err)
			}
		}
		assert.Len(t, p.Budget.table.Load().buckets, 1)

		ctx, record := WithRecord(t.Context())
		req := request(t, "GET", c.other, nil).WithContext(ctx)
		_, err := good.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, req.URL.Host, record.Calls()[0][0].Host)
	}
}

// Where Prepare goes on to another host, its bucket pays for the next retry, and is
// paid by the success.
func TestAnotherHostHasItsBucket(t *testing.T) {
	p := Policy{Backoff: Constant(0), Budget: &Budget{PerSuccess: 2}}
	p.Prepare = func(req *http.Request, _ *http.Response, _ error) error {
		req.URL.Host = "B.test:80"
		return nil
	}
	rt := &RetryTransport{Base: script(status(503), status(503), status(200)), Policy: p}
	assert.Equal(t, ReasonSuccess, send(t, rt, "http://a.test/"))
	assert.Equal(t, 3, spend(p.Budget, "a.test", time.Now()))
	assert.Equal(t, 5, spend(p.Budget, "b.test", time.Now()), "4 - 1 + 2")
	assert.Len(t, p.Budget.table.Load().buckets, 2)
}

// So it is where a body is resumed that was truncated before its first byte.
func TestAResumedBodyDrawsOnItsHost(t *testing.T) {
	broken := response(200, "Etag", `"1"`, "Accept-Ranges", "bytes")
	broken.ContentLength, broken.Body = 4, io.NopCloser(iotest.ErrReader(errLost))
	p := Policy{Backoff: Constant(0), Budget: new(Budget), ResumeDownloads: true}
	rt := &RetryTransport{Policy: p, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("Range") == "" {
			return broken, nil
		}
		return nil, errLost
	})}
	resp, err := rt.RoundTrip(request(t, "GET", "http://API.test:80/", nil))
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	assert.Equal(t, errLost, err)
	assert.Equal(t, 2, spend(p.Budget, "api.test", time.Now()), "4.4 - 2")
	assert.Len(t, p.Budget.table.Load().buckets, 1)
}

// No value of a field panics or overflows, at whatever time.
func TestEveryBudget(t *testing.T) {
	var (
		floats = []float64{
			0, math.Copysign(0, -1), 0.4, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1),
			math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0.0005, 2147483.647, 4294967.296,
		}
		ints      = []int{0, 1, 4, -1, math.MaxInt, math.MinInt, math.MaxInt32, math.MinInt32, math.MaxInt32 / 1000}
		durations = []time.Duration{0, 1, -1, time.Second, math.MaxInt64, math.MinInt64}
	)
	for _, perSuccess := range floats {
		for _, reserve := range ints {
			for _, burst := range durations {
				name := fmt.Sprintf("%v, %d, %d", perSuccess, reserve, burst)
				b, now := &Budget{PerSuccess: perSuccess, Reserve: reserve, Burst: burst}, budgetStart
				want := max(2, reserve)
				switch {
				case reserve == 0:
					want = 4
				case reserve < 0:
					want = 0
				}
				require.Equal(t, min(1e4, want), spend(b, "x", now), name)
				for range 10 {
					succeed(b, "x", now)
				}
				saved := 10 * min(max(0, perSuccess), math.MaxInt32/1000)
				switch {
				case perSuccess == 0:
					saved = 4
				case math.IsNaN(perSuccess):
					saved = 0
				}
				want = min(1e9, max(0, want-1e4)) + int(saved)
				require.Equal(t, min(1e4, want), spend(b, "x", now), "%s: after 10 successes", name)
				for _, at := range []time.Time{{}, time.Unix(1<<40, 0), now.Add(math.MaxInt64), now.Add(math.MinInt64)} {
					succeed(b, "x", at)
					retry(b, "x", at)
				}
			}
		}
	}
}

// Many functions and hosts are used at once, while some are forgotten.
func TestBudgetManyCallsAtOnce(t *testing.T) {
	p := Policy{MaxAttempts: 5, Backoff: Constant(0), Budget: new(Budget)}
	var refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 200 {
				p := p
				p.Name = fmt.Sprint(g%4, i) // 800 of them
				if e, _ := errors.AsType[*Error](Run(context.Background(), p, func(context.Context) error { return errLost })); e == nil || e.Reason == ReasonBudget {
					refused.Add(1)
				}
				succeed(p.Budget, fmt.Sprint(i), time.Now())
			}
		})
	}
	wg.Wait()
	assert.Len(t, p.Budget.table.Load().buckets, 800+200)
	assert.Positive(t, refused.Load())
}

func TestNamesAreOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := WithRecord(t.Context())
		var told []string
		p := Policy{Name: "publish", MaxAttempts: 2, OnAttempt: func(_ context.Context, a Attempt) { told = append(told, a.Name) }}
		_ = Run(ctx, p, func(context.Context) error { return errLost })
		tries, _ := Attempts(ctx, p)
		for try := range tries {
			try.Fail(errLost)
			break
		}
		rt := &RetryTransport{Base: script(status(503), status(200)), Policy: p}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, "publish: 2 attempts in 2s: *errors.errorString after 0s (error), wait 2s; *errors.errorString after 0s (attempts_used_up)"+
			" | publish: 1 attempt in 0s: *errors.errorString after 0s (decision)"+
			" | publish GET x: 2 attempts in 2s: 503 after 0s (status), wait 2s; 200 after 0s (success)", record.String())
		assert.Equal(t, slices.Repeat([]string{"publish"}, 5), told)
	})
}
