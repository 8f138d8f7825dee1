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
// a service is flaky and vanish while it is down. Make one for a process, and
// set the pointer in the Policy of each transport and of each Do that calls the
// same services. The zero value is ready for use. A Budget is safe for
// concurrent use; it must not be copied, nor its fields changed, once it is used.
//
// Each host, by its name and port, has a token bucket, and all functions
// together have one. First attempts are always made. A retry costs one token,
// each call that ends well puts back PerSuccess, and a retry that is refused
// costs half of that. So a service where every call fails gets nothing but first
// attempts as soon as what was saved is spent. If the budget were fed by requests
// instead, its retries would go on through an outage, and keep a service down
// that has no capacity to spare. What is saved for a busy host is measured in
// time, so that it lasts for a failure of about a second, however many calls are
// made in it.
//
// The defaults are found by simulation (directory simulation, with its limits).
// With them, at least 99 % of calls end well in 3 attempts where 15 % of all
// attempts fail at random; and in the first 30 seconds of an outage the load is at
// most 1.2 times that of the first attempts, for clients that each make at least
// one call per second. A client that makes fewer has its Reserve all the same.
//
// A Budget knows up to 1024 hosts; those that are not called for a minute make
// room. Where there is no room, further hosts share one bucket.
type Budget struct {
	// PerSuccess is how many retries a call that ends well pays for. In the long
	// run there are no more retries than this share of the good calls.
	// Zero means 0.4; negative means none, so that there is only the Reserve.
	PerSuccess float64

	// Reserve is how many retries a host has at first, and can save up however
	// seldom it is called. Zero means 4; negative means none.
	Reserve int

	// Burst says, in time, how many retries a busy host saves up: about as many
	// as calls end well in that time. Beyond the Reserve, older savings fade.
	// Zero means 3 seconds; negative means that only the Reserve is saved.
	Burst time.Duration

	standard bool // made by Standard, for whoever keeps that policy

	table atomic.Pointer[budgetTable]
	mu    sync.Mutex // makes the next table
}

const (
	maxBudgetHosts   = 1024
	forgetBudgetHost = time.Minute
)

// budgetTable has the bucket of each host. It is never changed, but replaced: a
// call to a host that is known locks nothing.
type budgetTable struct {
	rules   bucket.Rules
	start   time.Time
	hosts   map[string]*bucket.Bucket
	rest    *bucket.Bucket // the hosts for which there is no room
	sweepAt time.Duration  // when there is no room, none can be made before
}

// withdraw takes the token for a retry. It reports whether there was one.
func (b *Budget) withdraw(host string, now time.Time) bool {
	if b == nil {
		return true
	}
	t, hosts := b.bucket(host, now)
	return hosts.Withdraw(t.rules, now.Sub(t.start))
}

// deposit puts back what a call that ended well is worth.
func (b *Budget) deposit(host string, now time.Time) {
	if b == nil {
		return
	}
	t, hosts := b.bucket(host, now)
	hosts.Deposit(t.rules, now.Sub(t.start))
}

// bucket returns the bucket of host, and the table that says how to use it.
func (b *Budget) bucket(host string, now time.Time) (*budgetTable, *bucket.Bucket) {
	t := b.table.Load()
	if t == nil || t.hosts[host] == nil && t.mayAdd(now) {
		t = b.add(host, now)
	}
	if own := t.hosts[host]; own != nil {
		return t, own
	}
	return t, t.rest
}

func (t *budgetTable) mayAdd(now time.Time) bool {
	return len(t.hosts) < maxBudgetHosts || now.Sub(t.start) >= t.sweepAt
}

// add puts host into a new table, if it can make room.
func (b *Budget) add(host string, now time.Time) *budgetTable {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.table.Load()
	switch {
	case t == nil:
		t = &budgetTable{rules: b.rules(), start: now}
		t.rest = bucket.New(t.rules, 0)
	case t.hosts[host] != nil || !t.mayAdd(now): // another goroutine was here
		return t
	}
	next, passed := *t, now.Sub(t.start)
	next.hosts = maps.Clone(t.hosts)
	if next.hosts == nil {
		next.hosts = make(map[string]*bucket.Bucket)
	}
	if len(next.hosts) >= maxBudgetHosts {
		next.sweep(passed)
	}
	if len(next.hosts) < maxBudgetHosts {
		// The clone, since host may be a part of a much longer URL.
		next.hosts[strings.Clone(host)] = bucket.New(next.rules, passed)
	}
	b.table.Store(&next)
	return &next
}

// sweep forgets the hosts that have not been called lately. (Most buckets are
// full again by then, so that nothing is lost with them.)
func (t *budgetTable) sweep(now time.Duration) {
	longest := time.Duration(0)
	for host, b := range t.hosts {
		idle := b.Idle(now)
		if idle >= forgetBudgetHost {
			delete(t.hosts, host)
		}
		longest = max(longest, idle)
	}
	t.sweepAt = now + max(time.Second, forgetBudgetHost-longest)
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
	return bucket.NewRules(perSuccess, float64(reserve), burst)
}
