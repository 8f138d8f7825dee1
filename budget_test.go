package insist

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var budgetStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// spend withdraws until it is refused, and returns how often it was not.
func spend(b *Budget, host string, now time.Time) (retries int) {
	for b.withdraw(host, now) {
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
		{"huge", &Budget{PerSuccess: 1e300, Reserve: 1 << 40, Burst: 1 << 62}, 1e4, 1e4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := spend(tc.budget, "fresh", budgetStart); got != tc.fresh {
				t.Errorf("fresh: got %d retries, want %d", got, tc.fresh)
			}
			for range 10 {
				tc.budget.deposit("busy", budgetStart)
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
		b.deposit("", budgetStart)
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
	for i := range maxBudgetHosts {
		b.withdraw(name(i), budgetStart)
	}
	later := budgetStart.Add(forgetBudgetHost / 2)
	shared := 0
	for i := maxBudgetHosts; i < 10*maxBudgetHosts; i++ {
		shared += spend(&b, name(i), later)
	}
	if shared != 4 {
		t.Errorf("hosts without room: got %d retries, want 4 for all of them", shared)
	}
	if got := spend(&b, name(7), later); got != 3 {
		t.Errorf("a host with room: got %d retries, want the 3 that were left", got)
	}

	// A minute after their last call all hosts but number 7 make room.
	latest := budgetStart.Add(forgetBudgetHost + time.Second)
	if got := spend(&b, "new:443", latest); got != 4 {
		t.Errorf("a host with room again: got %d retries, want 4", got)
	}
	if got := spend(&b, name(7), latest); got != 0 {
		t.Errorf("a host that is called: got %d retries, want 0", got)
	}
	if got := len(b.table.Load().hosts); got != 2 {
		t.Errorf("got %d hosts, want 2", got)
	}
}

// Where no host has been idle for long, new ones don't search for room each time.
func TestBudgetSearchesForRoomSeldom(t *testing.T) {
	var b Budget
	for i := range maxBudgetHosts {
		b.deposit(fmt.Sprint(i), budgetStart)
	}
	b.deposit("one more", budgetStart.Add(time.Second))
	before := b.table.Load()
	for i := range 1000 {
		b.deposit(fmt.Sprint("further ", i), budgetStart.Add(2*time.Second))
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
					b.deposit(host, now)
					put[i].Add(1)
				case b.withdraw(host, now):
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
	b.deposit("known:443", budgetStart)
	now := budgetStart
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		b.deposit("known:443", now)
		b.withdraw("known:443", now)
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
					budget.deposit(host, now)
				}
			})
		})
	}
}
