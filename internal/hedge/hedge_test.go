package hedge

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/latency"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestDelay(t *testing.T) {
	var seen latency.Tracker
	note := func(n int, d time.Duration) {
		for range n {
			seen.Note("x", t0, d)
		}
	}
	note(known-1, time.Millisecond)
	_, ok := Delay(&seen, "x", t0, DefaultMinDelay)
	assert.False(t, ok, "too little is known")
	note(1, time.Millisecond)
	d, ok := Delay(&seen, "x", t0.Add(2*time.Second), DefaultMinDelay)
	assert.True(t, ok)
	assert.Equal(t, DefaultMinDelay, d)
	note(2, time.Second) // of 34: above the quantile
	d, _ = Delay(&seen, "x", t0.Add(4*time.Second), DefaultMinDelay)
	assert.InDelta(t, float64(time.Second), float64(d), float64(time.Second/8))
	note(100, time.Millisecond) // of 134: below it
	d, _ = Delay(&seen, "x", t0.Add(6*time.Second), -1)
	assert.InDelta(t, float64(time.Millisecond), float64(d), float64(time.Millisecond/4))
}

// hedges returns how many there may be at once.
func hedges(s *Share, share float64, now time.Time) (n int) {
	for s.Withdraw(share, now) {
		n++
	}
	return n
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name  string
		share float64
		calls int           // that end well
		apart time.Duration // the one and the next
		first int           // hedges before them
		then  int           // after them
	}{
		{"nothing is paid", 0.05, 0, 0, reserve, 0},
		{"a share", 0.05, 100, time.Second, reserve, 5},
		{"a large share", 0.5, 10, time.Second, reserve, 5},
		{"more than one", 3, 2, time.Second, reserve, 6},
		{"saved by few calls", 0.05, 10_000, time.Second, reserve, reserve},
		{"saved by many calls", 0.05, 100_000, time.Millisecond, reserve, 100},
		{"zero", 0, 1000, time.Second, reserve, 0},
		{"NaN", math.NaN(), 1000, time.Second, reserve, 0},
		{"none", -1, 1000, time.Second, 0, 0},
		{"without bound", math.Inf(1), 1, time.Second, reserve, 2147473}, // what a bucket holds
	} {
		var s Share
		assert.Equal(t, c.first, hedges(&s, c.share, t0), c.name)
		now := t0
		for range c.calls {
			now = now.Add(c.apart)
			s.Deposit(c.share, now)
		}
		assert.InEpsilon(t, c.then+1, hedges(&s, c.share, now)+1, 0.05, c.name)
	}
}

// TestRefusals cost half of what a call pays, so that where every call asks for a hedge
// there are half as many.
func TestRefusals(t *testing.T) {
	var s Share
	hedges(&s, DefaultShare, t0)
	n := 0
	for range 10_000 {
		s.Deposit(DefaultShare, t0)
		if s.Withdraw(DefaultShare, t0) {
			n++
		}
	}
	assert.InDelta(t, 10_000*DefaultShare/2, n, 20)
}

func TestFutile(t *testing.T) {
	var s Share
	assert.True(t, s.Withdraw(DefaultShare, t0))
	s.Futile(DefaultShare, t0)
	assert.Zero(t, hedges(&s, DefaultShare, t0))
	for range 20 {
		s.Deposit(DefaultShare, t0)
	}
	assert.Equal(t, 1, hedges(&s, DefaultShare, t0), "calls pay as before")
}

// TestClocks that go back, or are at the ends of time, do no harm.
func TestClocks(t *testing.T) {
	var s Share
	for _, now := range []time.Time{t0, t0.Add(-time.Hour), {}, time.Unix(1<<40, 0), t0.AddDate(300, 0, 0), t0} {
		s.Deposit(DefaultShare, now)
		s.Futile(DefaultShare, now)
		assert.Zero(t, hedges(&s, DefaultShare, now), now)
	}
}

func TestManyAtOnce(t *testing.T) {
	var s Share
	var n atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				s.Deposit(0.1, t0)
				if s.Withdraw(0.1, t0) {
					n.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.LessOrEqual(t, n.Load(), int64(8*1000/10+reserve))
	assert.Positive(t, n.Load())
}

func TestItCostsNoAllocation(t *testing.T) {
	var s Share
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		s.Deposit(DefaultShare, t0)
		s.Withdraw(DefaultShare, t0)
		s.Futile(DefaultShare, t0)
	}))
}
