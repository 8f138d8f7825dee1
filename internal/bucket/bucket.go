// Package bucket is the token bucket inside insist.Budget. It bounds retries in proportion
// to successes, and takes no lock. Time is an argument, so the simulation runs the same
// code in virtual time.
package bucket

import (
	"math"
	"sync/atomic"
	"time"
)

// The defaults of insist.Budget. They were chosen by the simulation.
const (
	DefaultPerSuccess = 0.4
	DefaultReserve    = 4
	DefaultBurst      = 3 * time.Second
)

// MaxLease bounds the retries that a lease guarantees to a call. Without it, a call with no
// bound of its own could retry forever.
const MaxLease = 1000

// The state is one word, so it needs no lock: 32 bits hold the tokens, up to two million
// of a thousand units each, and 32 bits hold the time.
const (
	unit  = 1000
	limit = math.MaxInt32
	tick  = 1 << 24 * time.Nanosecond // 17 ms; 32 bits of them are two years
)

// Rules says how a Bucket fills and fades.
type Rules struct {
	perSuccess int64   // units that a success puts back
	refusal    int64   // units that a refused retry costs
	reserve    int64   // units that don't fade; calls may raise it
	none       bool    // there is no reserve, and calls don't raise it
	lifetime   float64 // ticks in which the tokens fade to 1/e, down to the reserve at most
}

// NewRules returns these rules: a success puts back perSuccess tokens, a refused retry
// costs half as much, and a bucket holds at least reserve tokens when it is full, or about
// as many as there are successes in the time burst if those are more. No defaults are
// applied here: zero means zero. If reserve is negative, there is no reserve, and calls
// don't raise it. If perSuccess is negative or not a number, a success puts back nothing.
func NewRules(perSuccess float64, reserve int, burst time.Duration) Rules {
	r := Rules{perSuccess: units(perSuccess), reserve: units(float64(reserve)), none: reserve < 0}
	r.refusal = r.perSuccess / 2
	if r.perSuccess > 0 {
		// n successes in the time burst put back n·perSuccess. If the same amount
		// fades in that time, the bucket stays at n tokens.
		r.lifetime = float64(max(0, burst)) / float64(tick) * unit / float64(r.perSuccess)
	}
	return r
}

// Default returns the rules of a zero insist.Budget.
func Default() Rules {
	return NewRules(DefaultPerSuccess, DefaultReserve, DefaultBurst)
}

func units(tokens float64) int64 {
	if !(tokens > 0) { // NaN, too
		return 0
	}
	return int64(min(math.Round(tokens*unit), limit))
}

// Bucket holds the tokens of one host or function. Make it by New; the zero value is
// New(0). It is safe for concurrent use.
type Bucket struct {
	// state holds the units above the reserve (negative if the bucket is below it) and
	// the tick of the last call. So if the reserve is raised, the tokens rise with it.
	state atomic.Uint64

	needed atomic.Int32 // units that calls need as a reserve
	leased atomic.Bool  // a lease was given since the reserve was last full
}

// Lease is how many more retries of a call are guaranteed. It belongs to one call, and
// starts at zero.
type Lease int32

// New returns a bucket that holds exactly the reserve. now, here and in all methods, is the
// time since a fixed instant, the same for all calls.
func New(now time.Duration) *Bucket {
	b := new(Bucket)
	b.state.Store(pack(0, uint32(now/tick)))
	return b
}

// Deposit puts back the tokens for one success.
func (b *Bucket) Deposit(r Rules, now time.Duration) {
	reserve := b.reserve(r)
	for {
		old := b.state.Load()
		above, at := r.faded(old, reserve, now)
		above += min(r.perSuccess, limit-above)
		if !b.state.CompareAndSwap(old, pack(above, at)) {
			continue
		}
		if above >= 0 && b.leased.Load() {
			b.leased.Store(false)
		}
		return
	}
}

// Withdraw takes the token that a retry costs, and reports whether the retry may be made.
// most is how many retries the call may make in total; negative means no bound. If the
// reserve is smaller than most, it is raised to most.
//
// Calls that fail at the same time share the reserve, so it could happen that none of them
// gets all its attempts. Therefore the first call that withdraws after the reserve was full
// gets a lease: its retries are not refused even if there is no token.
//
// A refused retry costs tokens, too, because more calls fail than the successes pay for. If
// fewer than a third of the calls succeed, the refusals use up everything that the
// successes put back, and retries stop completely.
func (b *Bucket) Withdraw(r Rules, now time.Duration, most int, lease *Lease) bool {
	b.prepare(r, most, lease)
	reserve := b.reserve(r)
	for {
		old := b.state.Load()
		above, at := r.faded(old, reserve, now)
		have := reserve + above
		cost, made := min(r.refusal, have), *lease > 0
		if have >= unit || made {
			cost, made = min(unit, have), true
		}
		state := pack(above-cost, at)
		if state != old && !b.state.CompareAndSwap(old, state) {
			continue
		}
		if *lease > 0 {
			*lease--
		}
		return made
	}
}

// Refund puts back the token of a retry that was not made.
func (b *Bucket) Refund() {
	for {
		old := b.state.Load()
		above := int64(int32(old >> 32))
		above += min(unit, limit-above)
		if b.state.CompareAndSwap(old, pack(above, uint32(old))) {
			return
		}
	}
}

// Drain takes all tokens, the reserve's as well.
func (b *Bucket) Drain(r Rules, now time.Duration) {
	reserve := b.reserve(r)
	for {
		old := b.state.Load()
		_, at := r.faded(old, reserve, now)
		if b.state.CompareAndSwap(old, pack(-reserve, at)) {
			return
		}
	}
}

// prepare raises the reserve to the most retries that the call may make, and gives the
// call the lease if no other call got it since the reserve was full.
func (b *Bucket) prepare(r Rules, most int, lease *Lease) {
	if r.none {
		return
	}
	bounded := min(most, MaxLease)
	for needed := b.needed.Load(); int(needed) < bounded*unit; needed = b.needed.Load() {
		b.needed.CompareAndSwap(needed, int32(bounded*unit))
	}
	if bounded < 0 {
		bounded = MaxLease // only for the lease: a call without a bound doesn't raise the reserve
	}
	if *lease == 0 && !b.leased.Load() && b.leased.CompareAndSwap(false, true) {
		*lease = Lease(bounded)
	}
}

func (b *Bucket) reserve(r Rules) int64 { return max(r.reserve, int64(b.needed.Load())) }

// Tokens returns how many tokens there are.
func (b *Bucket) Tokens(r Rules, now time.Duration) float64 {
	reserve := b.reserve(r)
	above, _ := r.faded(b.state.Load(), reserve, now)
	return float64(reserve+above) / unit
}

// Idle returns how long ago the last call was.
func (b *Bucket) Idle(now time.Duration) time.Duration {
	return time.Duration(ticksSince(uint32(b.state.Load()), now)) * tick
}

// faded returns how many of state's units above the reserve are left now, and now in ticks.
func (r Rules) faded(state uint64, reserve int64, now time.Duration) (above int64, at uint32) {
	above, at = int64(int32(state>>32)), uint32(state)
	passed := ticksSince(at, now)
	at += passed
	switch {
	case passed == 0 || above <= 0:
		return above, at
	case r.lifetime == 0:
		return 0, at
	}
	left := float64(reserve+above) * math.Exp(-float64(passed)/r.lifetime)
	return max(0, int64(left)-reserve), at
}

// ticksSince returns the ticks from at to now. If another goroutine has already used a
// later now, it returns zero. Ticks wrap around; differences up to a year are right.
func ticksSince(at uint32, now time.Duration) uint32 {
	return uint32(max(0, int32(uint32(now/tick)-at)))
}

func pack(above int64, at uint32) uint64 { return uint64(uint32(above))<<32 | uint64(at) }
