package insist

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

var budgetStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// retry asks for a retry of a call of its own that may make two.
func retry(b *Budget, host string, now time.Time) bool {
	var lease bucket.Lease
	return b.withdraw(bucketKey{text: host}, now, 2, &lease)
}

func succeed(b *Budget, host string, now time.Time) { b.deposit(bucketKey{text: host}, now) }

// spend asks for retries until one is refused, and returns how many were not.
func spend(b *Budget, host string, now time.Time) (retries int) {
	for retry(b, host, now) {
		if retries++; retries == 1e4 {
			break
		}
	}
	return retries
}

func TestBudgetFields(t *testing.T) {
	for _, tc := range []struct {
		name              string
		budget            *Budget
		fresh, afterTenOK int // retries
	}{
		{"nil allows everything", nil, 1e4, 1e4},
		{"zero value", &Budget{}, 4, 8},
		{"reserve", &Budget{Reserve: 10}, 10, 14},
		{"no reserve", &Budget{Reserve: -1}, 0, 4},
		{"per success", &Budget{PerSuccess: 1}, 4, 14},
		{"nothing per success", &Budget{PerSuccess: -1}, 4, 4},
		{"neither", &Budget{PerSuccess: -1, Reserve: -1}, 0, 0},
		{"huge", &Budget{PerSuccess: 1e300, Reserve: math.MaxInt, Burst: math.MaxInt64}, 1e4, 1e4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := spend(tc.budget, "fresh", budgetStart); got != tc.fresh {
				t.Errorf("fresh: got %d retries, want %d", got, tc.fresh)
			}
			for range 10 {
				succeed(tc.budget, "busy", budgetStart)
			}
			if got := spend(tc.budget, "busy", budgetStart); got != tc.afterTenOK {
				t.Errorf("after ten successes: got %d retries, want %d", got, tc.afterTenOK)
			}
		})
	}
}

func TestBudgetNegativeBurstSavesNothing(t *testing.T) {
	b := &Budget{Burst: -1}
	for range 10 {
		succeed(b, "", budgetStart)
	}
	if got := spend(b, "", budgetStart.Add(time.Second)); got != 4 {
		t.Errorf("got %d retries, want the reserve of 4", got)
	}
}

func TestBudgetOneSickHostTakesNothingFromOthers(t *testing.T) {
	var b Budget
	spend(&b, "sick:443", budgetStart)
	for _, host := range []string{"well:443", "sick:80", ""} {
		if got := spend(&b, host, budgetStart); got != 4 {
			t.Errorf("%q: got %d retries, want 4", host, got)
		}
	}
}

func TestBudgetBoundsItsHosts(t *testing.T) {
	var b Budget
	name := func(i int) string { return fmt.Sprintf("host%d:443", i) }
	for i := range maxBuckets {
		retry(&b, name(i), budgetStart)
	}
	later := budgetStart.Add(forgetBucket / 2)
	shared := 0
	for i := maxBuckets; i < 10*maxBuckets; i++ {
		shared += spend(&b, name(i), later)
	}
	if shared != 4 {
		t.Errorf("hosts without room: got %d retries, want 4 for all of them", shared)
	}
	if got := spend(&b, name(7), later); got != 3 {
		t.Errorf("a host with room: got %d retries, want the 3 that were left", got)
	}

	// A minute after their last call all hosts but number 7 make room.
	latest := budgetStart.Add(forgetBucket + time.Second)
	if got := spend(&b, "new:443", latest); got != 4 {
		t.Errorf("a host with room again: got %d retries, want 4", got)
	}
	if got := spend(&b, name(7), latest); got != 0 {
		t.Errorf("a host that is called: got %d retries, want 0", got)
	}
	if got := len(b.table.Load().buckets); got != 2 {
		t.Errorf("got %d hosts, want 2", got)
	}
}

// Where no host has been idle for long, new ones don't search for room each time.
func TestBudgetSearchesForRoomSeldom(t *testing.T) {
	var b Budget
	for i := range maxBuckets {
		succeed(&b, fmt.Sprint(i), budgetStart)
	}
	succeed(&b, "one more", budgetStart.Add(time.Second))
	before := b.table.Load()
	for i := range 1000 {
		succeed(&b, fmt.Sprint("further ", i), budgetStart.Add(2*time.Second))
	}
	if b.table.Load() != before {
		t.Error("the table was made anew")
	}
}

func TestBudgetManyGoroutines(t *testing.T) {
	var b Budget
	var put, paid, refused [8]atomic.Int64
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 0))
			for range 500 {
				i := random.IntN(len(put))
				host, now := fmt.Sprint(i), budgetStart.Add(time.Duration(random.Int64N(int64(time.Second))))
				switch {
				case random.Float64() < 0.6:
					succeed(&b, host, now)
					put[i].Add(1)
				case retry(&b, host, now):
					paid[i].Add(1)
				default:
					refused[i].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for i := range put {
		if most := 4 + 0.4*float64(put[i].Load()); float64(paid[i].Load()) > most {
			t.Errorf("host %d: got %d retries, want at most %.1f", i, paid[i].Load(), most)
		}
		if refused[i].Load() == 0 {
			t.Errorf("host %d: nothing was refused", i)
		}
	}
}

func TestBudgetAllocatesNothingForKnownHosts(t *testing.T) {
	var b Budget
	succeed(&b, "known:443", budgetStart)
	now := budgetStart
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		succeed(&b, "known:443", now)
		retry(&b, "known:443", now)
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func BenchmarkBudgetDeposit(b *testing.B) {
	hosts := []string{"a:443", "b:443", "c:443", "d:443", "e:443", "f:443", "g:443", "h:443"}
	for _, n := range []int{1, len(hosts)} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var budget Budget
			var goroutine atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				host := hosts[int(goroutine.Add(1))%n]
				now := budgetStart
				for pb.Next() {
					now = now.Add(time.Microsecond)
					succeed(&budget, host, now)
				}
			})
		})
	}
}

// send makes a GET and returns the reason for which it ended.
func send(t *testing.T, rt *RetryTransport, url string) Reason {
	t.Helper()
	ctx, record := WithRecord(t.Context())
	_, err := rt.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
	require.NoError(t, err)
	attempts := record.Calls()[0]
	return attempts[len(attempts)-1].Reason
}

func TestABudgetEndsRetriesAndSuccessesFeedIt(t *testing.T) {
	down := func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/bad" {
			return response(503), nil
		}
		return response(200), nil
	}
	p := Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 3, PerSuccess: 0.5}}
	rt := &RetryTransport{Base: roundTripper(down), Policy: p}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/bad"), "two of three retries")
	assert.Equal(t, ReasonBudget, send(t, rt, "http://x/bad"), "the third")
	assert.Equal(t, ReasonBudget, send(t, rt, "http://x/bad"))
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://y/bad"), "another host has its own")
	for range 8 {
		assert.Equal(t, ReasonSuccess, send(t, rt, "http://x/good"))
	}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/bad"), "the successes pay for it")

	// A function has a bucket of its own, shared through the same pointer.
	result := errLost
	fn := func(context.Context) error { return result }
	last := func() Reason {
		e, _ := errors.AsType[*Error](Run(t.Context(), p, fn))
		if e == nil {
			return ""
		}
		return e.Reason
	}
	assert.Equal(t, ReasonAttempts, last())
	assert.Equal(t, ReasonBudget, last())
	assert.Empty(t, last(), "a single attempt's error is as it is")
	result = nil
	for range 8 {
		require.NoError(t, Run(t.Context(), p, fn))
	}
	result = errLost
	assert.Equal(t, ReasonAttempts, last())
}

func TestWhatFeedsABudget(t *testing.T) {
	keep := func(*http.Request, *http.Response, error, int) Decision { return Decision{Verdict: Stop} }
	for _, c := range []struct {
		name   string
		policy Policy
		step   step
		want   bool
	}{
		{"200", Policy{}, status(200), true},
		{"404, if that is an answer", Standard(), status(404), true},
		{"503", Policy{MaxAttempts: 1}, status(503), false},
		{"200 that Classify keeps", Policy{Classify: keep}, status(200), true},
		{"503 that Classify keeps", Policy{Classify: keep}, status(503), false},
		{"503 that the server keeps", Policy{}, status(503, "X-Should-Retry", "false"), false},
		{"a business error", Policy{MaxAttempts: 1, RetryableBody: JSONFieldNot("/c", 0)}, servertest.Content(`{"c": 1}`), false},
		{"an error", Policy{MaxAttempts: 1}, fails(errLost), false},
	} {
		c.policy.Budget = &Budget{Reserve: -1, PerSuccess: 1}
		(&RetryTransport{Base: script(c.step), Policy: c.policy}).RoundTrip(request(t, "GET", "http://x/", nil))
		assert.Equal(t, c.want, retry(c.policy.Budget, "x", time.Now()), c.name)
	}
}

func TestStandardsBudgetIsSharedByItsCopies(t *testing.T) {
	p := Standard()
	require.NotNil(t, p.Budget)
	assert.NotSame(t, p.Budget, Standard().Budget)
	p.Backoff, p.Budget.Reserve, p.Budget.PerSuccess = Constant(0), 2, -1
	b := script(status(503))
	rt := &RetryTransport{Base: b, Policy: p}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/"))
	assert.Equal(t, ReasonBudget, send(t, &RetryTransport{Base: b, Policy: p}, "http://x/"))

	// An edit to Standard doesn't give one request a budget of its own.
	for _, c := range []struct {
		edit func(*Policy)
		want int
	}{
		{func(p *Policy) { *p = Standard(); p.Backoff = Constant(0) }, 1},
		{func(p *Policy) { p.Budget = nil }, 3},
		{func(p *Policy) { p.Budget = new(Budget) }, 3},
	} {
		before := len(b.Arrivals())
		ctx := EditPolicy(t.Context(), c.edit)
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, c.want, len(b.Arrivals())-before)
	}
}
