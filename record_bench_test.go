//go:build !race

package insist

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

// asking is who wants to know about attempts.
var asking = []struct {
	name         string
	hook, record bool
	allocs       [4]int64 // as in TestRecordCost
}{
	{name: "nobody", allocs: [4]int64{0, 2, 0, 0}},
	{name: "OnAttempt", hook: true, allocs: [4]int64{0, 2, 0, 0}},
	{name: "WithRecord", record: true, allocs: [4]int64{3, 7, 3, 5}},
	{name: "both", hook: true, record: true, allocs: [4]int64{3, 7, 3, 5}},
}

// told is how many attempts the hook of telling has been told of.
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
				assert.LessOrEqual(t, bytes, int64(152), a.name)
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
