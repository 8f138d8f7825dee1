package insist

import (
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/origin"
)

// Budget bounds the retries of all calls that share it, so that they help while
// a service is flaky and end while it is down. Make one for a process, and set the
// pointer in the Policy of each transport and of each Do that calls the same
// services. The zero value is ready for use. A Budget is safe for concurrent use;
// it must not be copied, nor its fields changed, once it is used.
//
// Each host has a token bucket: the host and port of the request's URL, however it
// is written, so that api.test, API.test and http://api.test:80 share one. Each
// function has one, too. A function with a Policy.Name is known by that, among all
// calls of functions with this name. One without is known by its code: each function
// literal, each method and each loop over Attempts has a bucket of its own, whatever
// its variables or its receiver. A literal that only calls the function that it was
// given is one function, whatever it calls: give its calls a Name.
//
// First attempts are always made. A retry costs one token, each call that ends well
// puts back PerSuccess, and a retry that is refused costs half of that. So a service
// where every call fails gets nothing but first attempts as soon as what was saved
// is spent. If the budget were fed by requests instead, its retries would go on
// through an outage, and keep a service down that has no capacity to spare. What is
// saved for a busy host is measured in time, so that it lasts for a failure of about
// a second, however many calls are made in it.
//
// The first call that fails gets all its attempts, up to 1000 retries. So a bucket's
// reserve is never less than a call that uses it may need, MaxAttempts - 1. Calls
// that fail at the same time share the reserve, and one of them, the first one since
// the reserve was full, is not refused any retry.
//
// The defaults are found by simulation (directory simulation, with its limits).
// With them, at least 99 % of calls end well in 3 attempts where 15 % of all
// attempts fail at random; and in the first 30 seconds of an outage the load is at
// most 1.2 times that of the first attempts, for clients that each make at least
// one call per second. A client that makes fewer has its reserve all the same. With
// more than 5 MaxAttempts the reserve is larger, and so is the load.
//
// A Budget has up to 1024 buckets; those that were not used for a minute make room.
// If there is no room, all further hosts and functions share one bucket.
type Budget struct {
	// PerSuccess is how many retries a call that ends well pays for, to the
	// thousandth. In the long run there are no more retries than this share of the
	// good calls. Zero means 0.4; negative or NaN means none, so that there is only
	// the Reserve.
	PerSuccess float64

	// Reserve is how many retries a bucket has at first, and can save up however
	// seldom it is used. If a call may make more (MaxAttempts - 1), that is the
	// bucket's reserve from then on, up to 1000; a call whose MaxAttempts is negative
	// does not raise it. Zero means 4; negative means none, whatever calls may need:
	// only good calls pay for retries, and the first call that fails may get none.
	Reserve int

	// Burst says, in time, how many retries a busy host saves up: about as many
	// as calls end well in that time. Beyond the reserve, older savings fade.
	// Zero means 3 seconds; negative means that only the reserve is saved.
	Burst time.Duration

	standard bool // made by Standard; see contextValue.policy

	table atomic.Pointer[budgetTable]
	mu    sync.Mutex // makes the next table
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

// namedFunction is the code of a function that has a name. No function is at this
// address.
const namedFunction = 1

// hostKey returns the key of u's host. It is the zero key if nobody needs it.
func (p *Policy) hostKey(u *url.URL) bucketKey {
	if p.Budget == nil {
		return bucketKey{}
	}
	return bucketKey{text: origin.Host(u)}
}

// functionKey returns the key of a function, code being what funcid.Of says about it.
func (p *Policy) functionKey(code uintptr) bucketKey {
	if p.Name != "" {
		return bucketKey{p.Name, namedFunction}
	}
	return bucketKey{code: code}
}

// budgetTable has the buckets. It is never changed, but replaced: a call to a host
// that is known locks nothing.
type budgetTable struct {
	rules   bucket.Rules
	start   time.Time
	buckets map[bucketKey]*bucket.Bucket
	rest    *bucket.Bucket // of the keys for which there is no room
	sweepAt time.Duration  // when there is no room, none can be made before
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

// deposit puts back what a call that ended well is worth.
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
	case t.buckets[key] != nil || !t.mayAdd(now): // another goroutine was here
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

// sweep forgets the buckets that have not been used lately. (Most are full again by
// then, so that nothing is lost with them.)
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

// rules resolves the defaults.
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
