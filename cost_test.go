//go:build !race

package insist

import (
	"context"
	"math"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unsafe"

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

// The hooks that prove what was sent are paid for where the base asks for them, as
// net/http does.
func TestHooksCost(t *testing.T) {
	base := newReplies(0)
	rt := &RetryTransport{Base: roundTripper(func(req *http.Request) (*http.Response, error) {
		if httptrace.ContextClientTrace(req.Context()) == nil {
			t.Error("no hooks")
		}
		return base.RoundTrip(req)
	})}
	req := request(t, "POST", "http://x/", nil)
	allocs, bytes := cost(func() { rt.RoundTrip(req) })
	assert.LessOrEqual(t, allocs, int64(4))
	assert.LessOrEqual(t, bytes, int64(576))
}

// What every POST allocates first. One word more is the next size class.
func TestAnAttemptFitsItsSizeClass(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(outgoing{}), uintptr(416))
}

// A success at once costs no allocation; each retry costs the context by which
// AttemptNumber knows it.
func TestDoCost(t *testing.T) {
	n, ctx, p := 0, t.Context(), Policy{Backoff: Constant(0)}
	for _, c := range calls {
		allocs, _ := cost(func() { c.run(ctx, p, &n) })
		assert.EqualValues(t, c.retries, allocs, c.name)
	}
}

// A Budget costs a success at once no allocation; nor is one needed to tell functions
// apart, with a Budget or without.
func TestBudgetCost(t *testing.T) {
	for _, c := range budgeted {
		for name, budget := range map[string]*Budget{"none": nil, "Budget": new(Budget)} {
			allocs, bytes := cost(c.ready(t, Policy{Budget: budget}))
			want := int64(0)
			if c.name == "Func" {
				want = 1 // the text that it returns
			}
			assert.Equal(t, want, allocs, "%s, %s", c.name, name)
			t.Logf("%-20s %-8s %d allocs %d bytes", c.name, name, allocs, bytes)
		}
	}

	n, ctx, p := 0, t.Context(), Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 1 << 20}}
	for _, c := range calls {
		allocs, _ := cost(func() { c.run(ctx, p, &n) })
		assert.EqualValues(t, c.retries, allocs, "%s: a retry", c.name)
	}
}

// A condition on a small response costs at most 2 allocations, and at most 9 in a
// cold run. Where the base is not net/http's it costs 3 more, and a copy of the
// request: the attempt has a context of its own, since nothing else could end a Read
// of the body.
func TestConditionCost(t *testing.T) {
	for _, c := range []struct {
		base                string
		netHTTP             bool
		allocs, bytes, cold int64
	}{{"net/http's base", true, 2, 1 << 10, 9}, {"another base", false, 5, 1600, 11}} {
		send := jsonAnswer(t, c.netHTTP, Policy{RetryableBody: JSONFieldNot("/ret_code", 0)}, `{"ret_code": 0, "data": "x"}`)
		allocs, bytes := cost(send)
		assert.LessOrEqual(t, allocs, c.allocs, c.base)
		assert.LessOrEqual(t, bytes, c.bytes, c.base)
		t.Logf("%s, warm: %d allocs %d bytes", c.base, allocs, bytes)
		allocs, bytes = cold(send)
		assert.LessOrEqual(t, allocs, c.cold, c.base)
		t.Logf("%s, cold: %d allocs %d bytes", c.base, allocs, bytes)
	}
}

// cost is the mean of what f allocates, once its pools are filled.
func cost(f func()) (allocs, bytes int64) {
	const runs = 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	allocs, bytes = least(func() {
		for range 10 {
			f()
		}
	}, func() {
		for range runs {
			f()
		}
	})
	return allocs / runs, bytes / runs
}

// cold is what f allocates when no pool holds anything.
func cold(f func()) (allocs, bytes int64) {
	return least(func() {
		runtime.GC()
		runtime.GC() // the first one leaves a pool's victims
	}, f)
}

// least is the least that f allocates in five runs, each made ready for. The
// counters are the whole process's: a thread that starts at the same time adds to them,
// and nothing ever takes away.
func least(ready, f func()) (allocs, bytes int64) {
	allocs, bytes = math.MaxInt64, math.MaxInt64
	for range 5 {
		ready()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		allocs = min(allocs, int64(after.Mallocs-before.Mallocs))
		bytes = min(bytes, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return allocs, bytes
}

// A body of 1 MiB that can be read once costs itself and little more, also when
// no chunk is pooled yet.
func TestColdRecording(t *testing.T) {
	for name, length := range map[string]int64{"length known": 1 << 20, "length unknown": -1} {
		rt := &RetryTransport{Base: newReplies(0), Policy: Policy{Backoff: Constant(0)}}
		_, bytes := cold(func() {
			req := request(t, "POST", "http://x/", &zeros{1 << 20})
			req.ContentLength = length
			_, err := rt.RoundTrip(req)
			assert.NoError(t, err)
		})
		assert.Less(t, bytes, int64(11<<20/10), name)
		t.Logf("%s: %d bytes", name, bytes)
	}
}

// Reading a response before it is handed over costs itself, and little more; where the
// base is not net/http's, a copy of the request, too.
func TestWholeCost(t *testing.T) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		for _, netHTTP := range []bool{true, false} {
			most, more := int64(3), int64(1100)
			if !netHTTP {
				most, more = most+3, more+640
			}
			allocs, bytes := cost(jsonAnswer(t, netHTTP, Policy{MaxWholeBytes: 1 << 20}, strings.Repeat("x", size)))
			assert.LessOrEqual(t, allocs, most)
			assert.LessOrEqual(t, bytes, int64(size)+more)
			t.Logf("%5d bytes, net/http's base %v: %d allocs %d bytes", size, netHTTP, allocs, bytes)
		}
	}
}

// asking is who wants to know about attempts.
var asking = []struct {
	name         string
	hook, record bool
	allocs       [4]int64 // as in TestRecordCost
}{
	{name: "nobody", allocs: [4]int64{0, 2, 0, 2}},
	{name: "OnAttempt", hook: true, allocs: [4]int64{0, 2, 0, 2}},
	{name: "WithRecord", record: true, allocs: [4]int64{3, 7, 3, 7}},
	{name: "both", hook: true, record: true, allocs: [4]int64{3, 7, 3, 7}},
}

// told is how many attempts the hook of telling has been given.
var told int

// telling returns a function that makes a call whose first fails attempts fail,
// by request or by function. A record is emptied before each: it has a call.
func telling(tb testing.TB, function, hook, record bool, fails int) func() {
	policy := Policy{Backoff: Constant(0)}
	if hook {
		policy.OnAttempt = func(context.Context, Attempt) { told++ }
	}
	ctx, r := context.Background(), new(Record)
	if record {
		ctx, r = WithRecord(ctx)
	}
	n := 0
	fn := func(context.Context) error {
		if n++; n%(fails+1) != 0 {
			return errLost
		}
		return nil
	}
	rt := &RetryTransport{Base: newReplies(fails), Policy: policy}
	req := request(tb, "GET", "http://x/", nil).WithContext(ctx)
	return func() {
		r.calls = nil
		if function {
			if err := Run(ctx, policy, fn); err != nil {
				tb.Fatal(err)
			}
		} else if resp, err := rt.RoundTrip(req); err != nil || resp.StatusCode != 200 {
			tb.Fatal(resp, err)
		}
	}
}

// Telling costs nothing unless somebody asks, and little where somebody does: a
// record keeps the attempts, a hook is only told.
func TestRecordCost(t *testing.T) {
	for i, c := range []struct {
		name     string
		function bool
		fails    int
	}{
		{"GET, answered at once", false, 0},
		{"GET, two retries", false, 2},
		{"Run, good at once", true, 0},
		{"Run, two retries", true, 2},
	} {
		for _, a := range asking {
			allocs, bytes := cost(telling(t, c.function, a.hook, a.record, c.fails))
			assert.Equal(t, a.allocs[i], allocs, "%s, %s", c.name, a.name)
			if c.name == "GET, answered at once" {
				assert.LessOrEqual(t, bytes, int64(208), a.name)
			}
			t.Logf("%-22s %-10s %2d allocs %5d bytes", c.name, a.name, allocs, bytes)
		}
	}
	assert.Positive(t, told)
}

// BenchmarkRecord is what telling adds to a call on a base that does nothing.
func BenchmarkRecord(b *testing.B) {
	for _, a := range asking {
		b.Run(a.name, func(b *testing.B) {
			b.ReportAllocs()
			for send := telling(b, false, a.hook, a.record, 0); b.Loop(); {
				send()
			}
		})
	}
}

// A bound on a body's silence costs a copy of the request, a context, a timer, and what
// tells the connection, which is to be given up then; and nothing for a Read.
func TestBodyIdleCost(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		allocs, bytes := cost(jsonAnswer(t, true, Policy{BodyIdleTimeout: time.Hour}, strings.Repeat("x", size)))
		assert.LessOrEqual(t, allocs, int64(10))
		assert.LessOrEqual(t, bytes, int64(1200))
		t.Logf("%7d bytes: %d allocs %d bytes", size, allocs, bytes)
	}
}

// TestPolicyForCostsNothing by itself.
func TestPolicyForCostsNothing(t *testing.T) {
	good, req, p := response(200), request(t, "GET", "http://x/", nil), Policy{}
	rt := &RetryTransport{
		Base:      roundTripper(func(*http.Request) (*http.Response, error) { return good, nil }),
		PolicyFor: func(*http.Request) *Policy { return &p },
	}
	allocs, _ := cost(func() { rt.RoundTrip(req) })
	assert.Zero(t, allocs)
}
