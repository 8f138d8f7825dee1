//go:build !race

package insist

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCost holds the scenarios' allocations and bytes against what is promised.
// The race detector allocates too, and empties pools: no such test under it.
func TestCost(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	for _, s := range scenarios {
		allocs, bytes := cost(s.ready(t))
		assert.LessOrEqual(t, allocs, s.allocs, s.name)
		assert.LessOrEqual(t, bytes, s.bytes, s.name)
		t.Logf("%-30s %4d allocs %8d bytes", s.name, allocs, bytes)
	}
}

func TestDoCostsNoAllocation(t *testing.T) {
	n, ctx, p := 0, t.Context(), Policy{Backoff: Constant(0)}
	for _, c := range calls {
		allocs, _ := cost(func() { c.run(ctx, p, &n) })
		assert.Zero(t, allocs, c.name)
	}
}

// A condition on a small answer costs at most 3 allocations, and at most 10 in a
// cold run.
func TestConditionCost(t *testing.T) {
	send := jsonAnswer(t, Policy{RetryableBody: JSONFieldNot("/ret_code", 0)}, `{"ret_code": 0, "data": "x"}`)
	allocs, bytes := cost(send)
	assert.LessOrEqual(t, allocs, int64(3))
	assert.LessOrEqual(t, bytes, int64(1<<10))
	t.Logf("warm: %d allocs %d bytes", allocs, bytes)
	runtime.GC()
	runtime.GC()
	allocs, bytes = once(send)
	assert.LessOrEqual(t, allocs, int64(10))
	t.Logf("cold: %d allocs %d bytes", allocs, bytes)
}

// cost is the mean of what f allocates, once its pools are filled.
func cost(f func()) (allocs, bytes int64) {
	const runs = 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 10 {
		f()
	}
	allocs, bytes = once(func() {
		for range runs {
			f()
		}
	})
	return allocs / runs, bytes / runs
}

// once is what f allocates.
func once(f func()) (allocs, bytes int64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.Mallocs - before.Mallocs), int64(after.TotalAlloc - before.TotalAlloc)
}

// A body of 1 MiB that can be read once costs itself and little more, also when
// no chunk is pooled yet.
func TestColdRecording(t *testing.T) {
	for name, length := range map[string]int64{"length known": 1 << 20, "length unknown": -1} {
		rt := &RetryTransport{Base: newReplies(0), Policy: Policy{Backoff: Constant(0)}}
		req := request(t, "POST", "http://x/", &zeros{1 << 20})
		req.ContentLength = length
		runtime.GC()
		runtime.GC() // the first one leaves a pool's victims
		_, bytes := once(func() {
			_, err := rt.RoundTrip(req)
			assert.NoError(t, err)
		})
		assert.Less(t, bytes, int64(11<<20/10), name)
		t.Logf("%s: %d bytes", name, bytes)
	}
}

// Reading an answer before it is handed over costs itself, and little more.
func TestWholeCost(t *testing.T) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		allocs, bytes := cost(jsonAnswer(t, Policy{MaxWholeBytes: 1 << 20}, strings.Repeat("x", size)))
		assert.LessOrEqual(t, allocs, int64(4))
		assert.LessOrEqual(t, bytes, int64(size+1100))
		t.Logf("%5d bytes: %d allocs %d bytes", size, allocs, bytes)
	}
}
