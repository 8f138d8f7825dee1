// Package bucket is the token bucket inside insist.Budget. Time is an argument,
// so that the simulation runs this very code in virtual time.
package bucket

import (
	"math"
	"sync/atomic"
	"time"
)

// The defaults of insist.Budget. The simulation is where they come from.
const (
	DefaultPerSuccess = 0.4
	DefaultReserve    = 4
	DefaultBurst      = 3 * time.Second
)

// MaxLease bounds the retries that a call is sure of, so that one without a bound of
// its own doesn't go on forever.
const MaxLease = 1000

// A token is a thousand units, so that two million tokens fit 32 bits, and the time
// the other 32: the state is one word, and there is nothing to lock.
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
	none       bool    // no reserve, whatever calls ask for
	lifetime   float64 // ticks in which what is above the reserve fades to 1/e
}

// NewRules returns the rules by which a success puts back perSuccess tokens, a
// refused retry costs half as much, and a bucket keeps either reserve tokens or
// about as many as there are successes in the time burst. No defaults are applied
// here: zero means zero. If reserve is negative, no call raises it either. If
// perSuccess is negative or not a number, a success puts back nothing.
func NewRules(perSuccess float64, reserve int, burst time.Duration) Rules {
	r := Rules{perSuccess: units(perSuccess), reserve: units(float64(reserve)), none: reserve < 0}
	r.refusal = r.perSuccess / 2
	if r.perSuccess > 0 {
		// n successes in the time burst put back n·perSuccess. Where as much
		// fades in that time, n tokens are there.
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

// Bucket holds the tokens of one host or function. It is to be made by New, and safe
// for concurrent use.
type Bucket struct {
	// state has the units above the reserve, which are negative below it, and then
	// the tick of the last call. So a reserve that is raised fills itself.
	state atomic.Uint64

	needed atomic.Int32 // units that calls want to have in reserve
	leased atomic.Bool  // since the reserve was full
}

// Lease is how many more retries a call is not refused. It belongs to one call, and
// begins as zero.
type Lease int32

// New returns a bucket that holds the reserve. now, here and below, counts from
// any instant, the same one for all calls.
func New(now time.Duration) *Bucket {
	b := new(Bucket)
	b.state.Store(pack(0, uint32(now/tick)))
	return b
}

// Deposit puts in what a success puts back.
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

// Withdraw takes the token that a retry costs, and reports whether the retry may be
// made. most is how many retries the call may make in all; negative means that
// there is no bound. The reserve is raised to that.
//
// Where calls fail at the same time they share the reserve, and none of them might
// get all its attempts. So one gets a lease: the first one that asks after the
// reserve was full. It is not refused even if there is no token.
//
// A refusal costs as well: it is a sign that more fails than the successes pay
// for. Where fewer than a third of the calls succeed, the refusals of the others
// use up all that the successes put back, and retries end altogether.
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

// prepare raises the reserve to what a call that may make most retries needs, and
// gives it the lease if that can be had.
func (b *Bucket) prepare(r Rules, most int, lease *Lease) {
	if r.none {
		return
	}
	bounded := min(most, MaxLease)
	for needed := b.needed.Load(); int(needed) < bounded*unit; needed = b.needed.Load() {
		b.needed.CompareAndSwap(needed, int32(bounded*unit))
	}
	if bounded < 0 {
		bounded = MaxLease // but it is no reason to raise the reserve
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

// Idle returns for how long the bucket has not been called.
func (b *Bucket) Idle(now time.Duration) time.Duration {
	return time.Duration(ticksSince(uint32(b.state.Load()), now)) * tick
}

// faded returns the units of state above the reserve that are left now, and now in
// ticks.
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

// ticksSince returns the ticks from at to now: none if another goroutine has been
// here with a later now. Ticks wrap around; the difference is right for a year.
func ticksSince(at uint32, now time.Duration) uint32 {
	return uint32(max(0, int32(uint32(now/tick)-at)))
}

func pack(above int64, at uint32) uint64 { return uint64(uint32(above))<<32 | uint64(at) }
