package bucket

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBucketStepByStep(t *testing.T) {
	const s = time.Second
	type step struct {
		at   time.Duration
		do   string // '+' succeeds, '-' is a retry that is made, '!' is one that is refused
		want float64
	}
	for _, tc := range []struct {
		name  string
		rules Rules
		steps []step
	}{
		{"begins with the reserve", Default(), []step{{0, "", 4}}},
		{"reserve lasts", Default(), []step{{3600 * s, "", 4}}},
		{"a retry costs one", Default(), []step{{0, "-", 3}, {s, "--", 1}, {2 * s, "-", 0}, {3 * s, "!", 0}}},
		{"a success pays", Default(), []step{{0, "----", 0}, {s, "++", 0.8}, {s, "+", 1.2}, {s, "-", 0.2}}},
		{"a refusal costs half a success", Default(), []step{{0, "----", 0}, {s, "++", 0.8}, {s, "!", 0.6}, {s, "!!", 0.2}, {s, "!!", 0}}},
		{"savings fade", Default(), []step{{0, "++++++++++", 8}, {7500 * time.Millisecond / 2, "", 8 * math.Exp(-0.5)}}},
		{"down to the reserve", Default(), []step{{0, "++++++++++", 8}, {60 * s, "", 4}}},
		{"what is below it stays", Default(), []step{{0, "-", 3}, {60 * s, "", 3}}},
		{"time does not run backwards", Default(), []step{{9 * s, "++", 4.8}, {8 * s, "", 4.8}, {8 * s, "-", 3.8}}},
		{"nothing at all", NewRules(-1, -1, -1), []step{{0, "!", 0}, {s, "++!", 0}}},
		{"reserve only", NewRules(-1, 1, s), []step{{0, "+", 1}, {s, "-!", 0}, {2 * s, "++!", 0}}},
		{"no savings", NewRules(0.5, 1, -1), []step{{0, "++", 2}, {s, "", 1}}},
		{"not a number", NewRules(math.NaN(), 0, s), []step{{0, "+!", 0}}},
		{"no limit is passed", NewRules(math.Inf(1), 1, s), []step{{0, "+++", limit / unit}}},
		{"less than a thousandth", NewRules(0.0001, 0, s), []step{{0, "+++!", 0}}},
		{"all of the greatest", NewRules(math.MaxFloat64, math.MaxInt, math.MaxInt64), []step{{0, "+++-", 2 * limit / unit}, {s, "", 2 * limit / unit}}},
		{"all of the least", NewRules(-math.MaxFloat64, math.MinInt, math.MinInt64), []step{{0, "+!", 0}, {s, "+!", 0}}},
		{"negative infinity", NewRules(math.Inf(-1), 1, s), []step{{0, "+-!", 0}}},
		{"the shortest burst", NewRules(0.4, 1, 1), []step{{0, "++++", 2.6}, {s, "", 1}}},
		{"the longest burst", NewRules(0.4, 1, math.MaxInt64), []step{{0, "++++", 2.6}, {3600 * s, "", 2.6}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := New(0)
			for i, step := range tc.steps {
				for _, do := range step.do {
					if do == '+' {
						b.Deposit(tc.rules, step.at)
					} else if got := b.Withdraw(tc.rules, step.at, 0, new(Lease)); got != (do == '-') {
						t.Fatalf("step %d, %c: got %t", i, do, got)
					}
				}
				if got := b.Tokens(tc.rules, step.at); math.Abs(got-step.want) > 0.01*max(1, step.want) {
					t.Errorf("step %d: got %.3f tokens, want %.3f", i, got, step.want)
				}
			}
		})
	}
}

// retries returns how often a call gets a token, if it may make most retries.
func retries(b *Bucket, r Rules, most int) (made int) {
	for lease := Lease(0); b.Withdraw(r, 0, most, &lease) && made < 2*MaxLease; made++ {
		if made == most-1 {
			return most
		}
	}
	return made
}

// The first call gets all that it may make. What later calls get is what it has left.
func TestReserveIsWhatCallsNeed(t *testing.T) {
	for _, c := range []struct {
		name    string
		reserve int
		calls   []int // the most retries of each
		want    []int // how many each makes
	}{
		{"less than the reserve", 4, []int{2, 2, 2}, []int{2, 2, 0}},
		{"more than the reserve", 4, []int{5, 5}, []int{5, 0}},
		{"far more", 4, []int{100, 2}, []int{100, 0}},
		{"one that may make more comes later", 4, []int{2, 9, 9}, []int{2, 7, 0}},
		{"one that may make fewer comes later", 0, []int{9, 2}, []int{9, 0}},
		{"no reserve of its own", 0, []int{2, 1}, []int{2, 0}},
		{"no reserve at all", -1, []int{2, 1000, -1}, []int{0, 0, 0}},
		{"least reserve", math.MinInt, []int{2}, []int{0}},
		{"more than there can be", 4, []int{math.MaxInt, math.MaxInt}, []int{MaxLease, 0}},
		{"no bound", 4, []int{-1, -1}, []int{MaxLease, 0}},
		{"least bound", 4, []int{math.MinInt}, []int{MaxLease}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, r := New(0), NewRules(0.4, c.reserve, time.Second)
			for i, most := range c.calls {
				if got := retries(b, r, most); got != c.want[i] {
					t.Errorf("call %d: got %d retries, want %d", i+1, got, c.want[i])
				}
			}
		})
	}
}

// A call without a bound does not make a bucket keep more for others.
func TestNoBoundRaisesNothing(t *testing.T) {
	b, r := New(0), NewRules(0.4, 4, time.Second)
	b.Withdraw(r, 0, -1, new(Lease))
	if got := b.Tokens(r, 0); got != 3 {
		t.Errorf("got %v tokens, want 3", got)
	}
}

// Saved up by seldom calls, the raised reserve does not fade.
func TestRaisedReserveLasts(t *testing.T) {
	b, r := New(0), NewRules(0.4, 1, time.Second)
	for range 10 {
		b.Deposit(r, 0)
	}
	b.Withdraw(r, 0, 9, new(Lease))
	if got := b.Tokens(r, 0); got != 12 {
		t.Errorf("at once: got %v tokens, want 12", got)
	}
	if got := b.Tokens(r, time.Hour); got != 9 {
		t.Errorf("later: got %v tokens, want 9", got)
	}
}

// Of calls that fail at the same time the first one gets all that it may make. The
// others share what it leaves.
func TestOneOfManyIsSure(t *testing.T) {
	b, r, leases := New(0), NewRules(0.4, 4, time.Second), make([]Lease, 3)
	got := make([]int, len(leases))
	for range 5 {
		for call := range leases {
			if b.Withdraw(r, 0, 5, &leases[call]) {
				got[call]++
			}
		}
	}
	if want := []int{5, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v retries, want %v", got, want)
	}

	// There is another lease once the reserve is full again, and no sooner.
	r = NewRules(1, 4, time.Second)
	for range 4 {
		b.Deposit(r, 0)
	}
	var lease Lease
	if b.Withdraw(r, 0, 5, &lease); lease != 0 {
		t.Errorf("4 of 5 tokens: got a lease of %d", lease+1)
	}
	b.Deposit(r, 0)
	b.Deposit(r, 0)
	if b.Withdraw(r, 0, 5, &lease); lease != 4 {
		t.Errorf("the reserve is full: got a lease of %d more, want 4", lease)
	}
}

// Of calls in parallel goroutines exactly one has the lease.
func TestOneLease(t *testing.T) {
	b, r := New(0), NewRules(-1, 4, time.Second)
	var made, leased atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			var lease Lease
			n := int64(0)
			for range 20 {
				if b.Withdraw(r, 0, 20, &lease) {
					n++
				}
			}
			made.Add(n)
			if n == 20 {
				leased.Add(1)
			}
		})
	}
	wg.Wait()
	if leased.Load() == 0 || made.Load() < 20 || made.Load() > 40 {
		t.Errorf("%d calls made all, and all together %d retries: want 1, and 20 to 40", leased.Load(), made.Load())
	}
}

// A busy client saves up as many tokens as it has successes in the time burst.
func TestBurst(t *testing.T) {
	r := NewRules(0.4, 4, 3*time.Second)
	for _, perSecond := range []int{1, 10, 100, 1000} {
		b, now := New(0), time.Duration(0)
		for range 60 * perSecond {
			now += time.Second / time.Duration(perSecond)
			b.Deposit(r, now)
		}
		want := max(4, 3*float64(perSecond))
		if got := b.Tokens(r, now); got < 0.95*want || got > 1.05*want+0.4 {
			t.Errorf("%d/s: got %.1f tokens, want %.1f", perSecond, got, want)
		}
	}
}

// The tokens are never below zero, nor above the reserve and what recent
// successes put back.
func TestBounds(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		perSuccess, burst := random.Float64(), time.Duration(random.Int64N(int64(10*time.Second)))
		r := NewRules(perSuccess, random.IntN(10), burst)
		now := time.Duration(random.Int64())
		b := New(now)
		reserve, saved := float64(r.reserve)/unit, 0.0 // saved: by successes, in exact time
		for range 1000 {
			passed := time.Duration(random.ExpFloat64() * float64(200*time.Millisecond))
			now += passed
			saved *= math.Exp(-perSuccess * float64(passed) / float64(burst))
			before := b.Tokens(r, now)
			if random.Float64() < 0.6 {
				b.Deposit(r, now)
				saved += float64(r.perSuccess) / unit
			} else if paid := b.Withdraw(r, now, 0, new(Lease)); paid != (before >= 1) {
				t.Fatalf("seed %d: %.3f tokens, and Withdraw returned %t", seed, before, paid)
			}
			// Time is counted in ticks, of which one may be missing.
			got, most := b.Tokens(r, now), reserve+saved*math.Exp(1/max(r.lifetime, 1))+0.01
			if got < 0 || got > most && r.lifetime > 1 {
				t.Fatalf("seed %d: got %.3f tokens, want 0 to %.3f", seed, got, most)
			}
		}
	}
}

func TestTimeWrapsAround(t *testing.T) {
	r, now := Default(), time.Duration(math.MaxUint32-1)*tick
	b := New(now)
	for range 10 {
		b.Deposit(r, now)
	}
	now += 3750 * time.Millisecond
	if got, want := b.Tokens(r, now), 8*math.Exp(-0.5); math.Abs(got-want) > 0.05 {
		t.Errorf("got %.3f tokens, want %.3f", got, want)
	}
	if got := b.Idle(now); got < 3700*time.Millisecond || got > 3800*time.Millisecond {
		t.Errorf("got idle for %v, want 3.75s", got)
	}
}

// No token is made or lost between goroutines, and each refusal is seen by one.
func TestManyGoroutines(t *testing.T) {
	const goroutines, rounds = 64, 500
	r, b := NewRules(0.4, 4, time.Hour), New(0)
	var paid, refused, put atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 0))
			for range rounds {
				switch {
				case random.Float64() < 0.6:
					b.Deposit(r, 0)
					put.Add(1)
				case b.Withdraw(r, 0, 0, new(Lease)):
					paid.Add(1)
				default:
					refused.Add(1)
				}
				if have := b.Tokens(r, 0); have < 0 || have > 4+0.4*goroutines*rounds {
					t.Errorf("got %v tokens", have)
				}
			}
		})
	}
	wg.Wait()
	if n := paid.Load() + refused.Load() + put.Load(); n != goroutines*rounds {
		t.Errorf("got %d calls, want %d", n, goroutines*rounds)
	}
	got := b.Tokens(r, 0)
	most := 4 + 0.4*float64(put.Load()) - float64(paid.Load())
	least := most - 0.2*float64(refused.Load())
	if got > most+0.001 || got < max(0, least-0.001) {
		t.Errorf("got %.1f tokens, want %.1f to %.1f", got, least, most)
	}
	if refused.Load() == 0 {
		t.Error("nothing was refused")
	}
}

// A refund makes a withdrawal undone, and no more than the most that a bucket holds.
func TestRefund(t *testing.T) {
	rules := NewRules(0.4, 4, 0)
	b, lease := New(0), Lease(0)
	for range 3 {
		made := b.Withdraw(rules, 0, 0, &lease)
		b.Refund()
		if have := b.Tokens(rules, 0); !made || have != 4 {
			t.Errorf("made %v, then %v tokens", made, have)
		}
	}
	b.state.Store(pack(limit-1, 0))
	b.Refund()
	b.Refund()
	if have := b.Tokens(rules, 0); int64(have) != 4+limit/1000 {
		t.Errorf("%v tokens", have)
	}
}
