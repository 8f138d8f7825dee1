package latency

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestBuckets(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d += d/50 + 7*time.Microsecond {
		b := bucketOf(d)
		assert.Greater(t, upper(b), d)
		assert.LessOrEqual(t, upper(b), max(unit, d+d/steps+unit))
		if b > 0 {
			assert.LessOrEqual(t, upper(b-1), d)
		}
	}
	for _, d := range []time.Duration{math.MinInt64, -1} {
		assert.Zero(t, bucketOf(d))
	}
	assert.Equal(t, buckets-1, bucketOf(math.MaxInt64))
	assert.Positive(t, upper(buckets-1))
}

// TestQuantile against the exact one.
func TestQuantile(t *testing.T) {
	for _, share := range []float64{0.5, 0.95, 0.97, 0.999, 1} {
		var tracker Tracker
		var all []time.Duration
		for range 5000 {
			d := time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond))
			all = append(all, d)
			tracker.Note("x", t0, d)
		}
		slices.Sort(all)
		exact := all[min(int(share*5000), 4999)]
		got, ok := tracker.Quantile("x", t0, share, 1)
		assert.True(t, ok)
		assert.InEpsilon(t, float64(exact+unit), float64(got+unit), 0.3, "%v: %v for %v", share, got, exact)
	}
}

func TestColdAndForgotten(t *testing.T) {
	var tracker Tracker
	_, ok := tracker.Quantile("x", t0, 0.95, 1)
	assert.False(t, ok, "nothing known")
	for i := range 20 {
		_, ok := tracker.Quantile("x", t0.Add(time.Duration(i)*refresh), 0.95, 20)
		assert.False(t, ok, i)
		tracker.Note("x", t0, time.Second)
	}
	at := t0.Add(30 * time.Second)
	d, ok := tracker.Quantile("x", at, 0.95, 20)
	assert.True(t, ok)
	assert.InDelta(t, float64(time.Second), float64(d), float64(time.Second/4))
	for _, later := range []time.Duration{10 * time.Minute, 100 * 365 * 24 * time.Hour} {
		_, ok = tracker.Quantile("x", at.Add(later), 0.95, 20)
		assert.False(t, ok, "it was long ago")
	}
}

// TestItFollows a host that has become slow within one to two windows.
func TestItFollows(t *testing.T) {
	var tracker Tracker
	at := t0
	for range 3000 {
		tracker.Note("x", at, time.Millisecond)
		at = at.Add(100 * time.Millisecond)
	}
	for range 1500 {
		tracker.Note("x", at, 100*time.Millisecond)
		at = at.Add(100 * time.Millisecond)
	}
	d, ok := tracker.Quantile("x", at, 0.5, 20)
	assert.True(t, ok)
	assert.Greater(t, d, 90*time.Millisecond)
}

func TestHostsAreBounded(t *testing.T) {
	var tracker Tracker
	for i := range 2 * maxHosts {
		tracker.Note(fmt.Sprint(i), t0, time.Second)
	}
	assert.Len(t, *tracker.hosts.Load(), maxHosts)
	tracker.Note("new", t0.Add(time.Hour), time.Second)
	assert.Len(t, *tracker.hosts.Load(), 1, "the others have been forgotten")
}

func TestManyAtOnce(t *testing.T) {
	var tracker Tracker
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				now := t0.Add(time.Duration(i) * time.Second)
				tracker.Note(fmt.Sprint(i%3), now, time.Duration(g+1)*time.Millisecond)
				tracker.Quantile(fmt.Sprint(i%3), now, 0.95, 1)
			}
		})
	}
	all.Wait()
}

func TestItCostsNoAllocation(t *testing.T) {
	var tracker Tracker
	tracker.Note("x", t0, time.Second)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		tracker.Note("x", t0, time.Second)
		tracker.Quantile("x", t0, 0.95, 1)
	}))
}
