package insist

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
)

// Budget bounds the retries of all calls that share it, so that they help while
// a service is flaky and end while it is down. Make one for a process, and set the
// pointer in the Policy of each transport and of each Do that calls the same
// services. The zero value is ready for use. A Budget is safe for concurrent use;
// it must not be copied, nor its fields changed, once it is used.
//
// Each host has a token bucket. Its key is the host and port of the request's URL, in
// one spelling: api.test, API.test and http://api.test:80 share a bucket. Each function
// has a bucket, too. If Policy.Name is set, all functions with this name share one. If
// not, the key is the function's code: each function literal, each method and each loop
// over Attempts has its own bucket, whatever its variables or its receiver. So a helper
// that wraps different functions in one literal has one bucket for all of them: give its
// calls a Name.
//
// First attempts are always made. A retry costs one token, each call that ends well
// puts back PerSuccess, and a retry that is refused costs half of that. So if every call
// to a service fails, it gets only first attempts as soon as the saved tokens are spent.
// (A budget that is filled by requests, whether they succeed or not, allows retries all
// through an outage, and may keep a service down that has no capacity to spare.) What a
// busy host saves is measured in time, so that it lasts for a failure of about a second,
// however many calls are made in that second.
//
// The first call that fails gets all its attempts, up to 1000 retries. So a bucket's
// reserve is never less than what a call may need, MaxAttempts - 1. Calls that fail at
// the same time share the reserve. One of them, the first one since the reserve was
// full, is not refused any retry.
//
// The defaults were found by simulation (directory simulation, which also states its
// limits). With them, if 15 % of all attempts fail at random, at least 99 % of calls end
// well in 3 attempts. In the first 30 seconds of an outage, the load is at most 1.2 times
// that of the first attempts alone, if each client makes at least one call per second. A
// client that makes fewer calls has the same reserve. If MaxAttempts is more than 5, the
// reserve is larger, and so is the load.
//
// A Budget has up to 1024 buckets. If there are more hosts and functions, buckets that
// were not used for a minute are dropped. If there are none, all further hosts and
// functions share one bucket.
type Budget struct {
	// PerSuccess is how many retries each call that ends well pays for, in steps of a
	// thousandth. In the long run, there are at most PerSuccess retries per call that
	// ends well. Zero means 0.4; negative or NaN means none, so that there is only the
	// Reserve.
	PerSuccess float64

	// Reserve is how many retries a bucket starts with, and can save up even if it is
	// seldom used. If a call may need more (MaxAttempts - 1), the bucket's reserve is
	// raised to that, up to 1000; a call whose MaxAttempts is negative does not raise it.
	// Zero means 4; negative means no reserve, whatever calls may need: only calls that
	// end well pay for retries, and the first call that fails may get none.
	Reserve int

	// Burst says how many retries a busy bucket saves up beyond the reserve, as a time:
	// about as many as there are calls that end well in that time. Older savings fade.
	// Zero means 3 seconds; negative means that only the reserve is saved.
	Burst time.Duration

	standard bool // made by Standard; see contextValue.policy

	table atomic.Pointer[budgetTable]
	mu    sync.Mutex // held while a new table is made
}

const (
	maxBuckets   = 1024
	forgetBucket = time.Minute
)

// bucketKey says whose a bucket is: a host's, in the form of package origin; a
// function's by its name; or a function's by the address of its code.
type bucketKey struct {
	text string
	code uintptr
}

// namedFunction takes the place of the code in the key of a function with a name. No
// function has this address.
const namedFunction = 1

// budgetTable has the buckets. It is never changed, only replaced, so that a call to a
// known host needs no lock.
type budgetTable struct {
	rules   bucket.Rules
	start   time.Time
	buckets map[bucketKey]*bucket.Bucket
	rest    *bucket.Bucket // shared by the keys for which there is no room
	sweepAt time.Duration  // if there is no room: the earliest time, from start on, when a sweep can make some
}

// withdraw takes the token for a retry. It reports whether the retry may be made.
// most is how many retries the call may make in all; negative means no bound.
func (b *Budget) withdraw(key bucketKey, now time.Time, most int, lease *bucket.Lease) bool {
	if b == nil {
		return true
	}
	t, own := b.bucket(key, now)
	return own.Withdraw(t.rules, now.Sub(t.start), most, lease)
}

// refund puts back the token of a retry that was not made.
func (b *Budget) refund(key bucketKey, now time.Time) {
	_, own := b.bucket(key, now)
	own.Refund()
}

// deposit puts PerSuccess into the bucket, for a call that ended well.
func (b *Budget) deposit(key bucketKey, now time.Time) {
	if b == nil {
		return
	}
	t, own := b.bucket(key, now)
	own.Deposit(t.rules, now.Sub(t.start))
}

// bucket returns the bucket of key, and the table that says how to use it.
func (b *Budget) bucket(key bucketKey, now time.Time) (*budgetTable, *bucket.Bucket) {
	t := b.table.Load()
	if t != nil {
		if own := t.buckets[key]; own != nil {
			return t, own
		}
	}
	if t == nil || t.mayAdd(now) {
		t = b.add(key, now)
	}
	if own := t.buckets[key]; own != nil {
		return t, own
	}
	return t, t.rest
}

func (t *budgetTable) mayAdd(now time.Time) bool {
	return len(t.buckets) < maxBuckets || now.Sub(t.start) >= t.sweepAt
}

// add puts key into a new table, if it can make room.
func (b *Budget) add(key bucketKey, now time.Time) *budgetTable {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.table.Load()
	switch {
	case t == nil:
		t = &budgetTable{rules: b.rules(), start: now, rest: bucket.New(0)}
	case t.buckets[key] != nil || !t.mayAdd(now): // another goroutine was faster
		return t
	}
	next, passed := *t, now.Sub(t.start)
	next.buckets = maps.Clone(t.buckets)
	if next.buckets == nil {
		next.buckets = make(map[bucketKey]*bucket.Bucket)
	}
	if len(next.buckets) >= maxBuckets {
		next.sweep(passed)
	}
	if len(next.buckets) < maxBuckets {
		key.text = strings.Clone(key.text) // it may be a part of a much longer URL
		next.buckets[key] = bucket.New(passed)
	}
	b.table.Store(&next)
	return &next
}

// sweep drops the buckets that were not used for a minute. (Most are full by then, so
// nothing is lost.)
func (t *budgetTable) sweep(now time.Duration) {
	longest := time.Duration(0)
	for key, b := range t.buckets {
		idle := b.Idle(now)
		if idle >= forgetBucket {
			delete(t.buckets, key)
		}
		longest = max(longest, idle)
	}
	t.sweepAt = now + max(time.Second, forgetBucket-longest)
}

// rules returns the rules of the buckets, with the defaults filled in.
func (b *Budget) rules() bucket.Rules {
	perSuccess, reserve, burst := b.PerSuccess, b.Reserve, b.Burst
	if perSuccess == 0 {
		perSuccess = bucket.DefaultPerSuccess
	}
	if reserve == 0 {
		reserve = bucket.DefaultReserve
	}
	if burst == 0 {
		burst = bucket.DefaultBurst
	}
	return bucket.NewRules(perSuccess, reserve, burst)
}
