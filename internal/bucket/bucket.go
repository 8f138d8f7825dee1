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

// A token is a thousand units, so that millions of tokens fit 32 bits, and the
// time the other 32: the state is one word, and there is nothing to lock.
const (
	unit  = 1000
	limit = math.MaxUint32
	tick  = 1 << 24 * time.Nanosecond // 17 ms; 32 bits of them are two years
)

// Rules says how a Bucket fills and fades.
type Rules struct {
	perSuccess uint32  // units that a success puts back
	refusal    uint32  // units that a refused retry costs
	reserve    uint32  // units that don't fade
	lifetime   float64 // ticks in which what is above the reserve fades to 1/e
}

// NewRules returns the rules by which a success puts back perSuccess tokens, a
// refused retry costs half as much, and a bucket keeps either reserve tokens or
// about as many as there are successes in the time burst. Nothing is resolved
// here: zero means zero.
func NewRules(perSuccess, reserve float64, burst time.Duration) Rules {
	r := Rules{perSuccess: units(perSuccess), reserve: units(reserve)}
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

func units(tokens float64) uint32 {
	if !(tokens > 0) { // NaN, too
		return 0
	}
	return uint32(min(math.Round(tokens*unit), limit))
}

// Bucket holds the tokens of one host. It is to be made by New, and safe for
// concurrent use.
type Bucket struct {
	state atomic.Uint64 // units, then the tick of the last call
}

// New returns a bucket that holds the reserve. now, here and below, counts from
// any instant, the same one for all calls.
func New(r Rules, now time.Duration) *Bucket {
	b := new(Bucket)
	b.state.Store(pack(r.reserve, uint32(now/tick)))
	return b
}

// Deposit puts in what a success puts back.
func (b *Bucket) Deposit(r Rules, now time.Duration) {
	for {
		old := b.state.Load()
		have, at := r.faded(old, now)
		have += min(r.perSuccess, limit-have)
		if b.state.CompareAndSwap(old, pack(have, at)) {
			return
		}
	}
}

// Withdraw takes the token that a retry costs, and reports whether there was one.
//
// A refusal costs as well: it is a sign that more fails than the successes pay
// for. Where fewer than a third of the calls succeed, the refusals of the others
// use up all that the successes put back, and retries end altogether.
func (b *Bucket) Withdraw(r Rules, now time.Duration) bool {
	for {
		old := b.state.Load()
		have, at := r.faded(old, now)
		paid := have >= unit
		if paid {
			have -= unit
		} else {
			have -= min(r.refusal, have)
		}
		state := pack(have, at)
		if state == old || b.state.CompareAndSwap(old, state) {
			return paid
		}
	}
}

// Tokens returns how many tokens there are.
func (b *Bucket) Tokens(r Rules, now time.Duration) float64 {
	have, _ := r.faded(b.state.Load(), now)
	return float64(have) / unit
}

// Idle returns for how long the bucket has not been called.
func (b *Bucket) Idle(now time.Duration) time.Duration {
	return time.Duration(ticksSince(uint32(b.state.Load()), now)) * tick
}

// faded returns the units of state that are left now, and now in ticks.
func (r Rules) faded(state uint64, now time.Duration) (have, at uint32) {
	have, at = uint32(state>>32), uint32(state)
	passed := ticksSince(at, now)
	at += passed
	switch {
	case passed == 0 || have <= r.reserve:
		return have, at
	case r.lifetime == 0:
		return r.reserve, at
	}
	left := float64(have) * math.Exp(-float64(passed)/r.lifetime)
	return max(r.reserve, uint32(left)), at
}

// ticksSince returns the ticks from at to now: none if another goroutine has been
// here with a later now. Ticks wrap around; the difference is right for a year.
func ticksSince(at uint32, now time.Duration) uint32 {
	return uint32(max(0, int32(uint32(now/tick)-at)))
}

func pack(have, at uint32) uint64 { return uint64(have)<<32 | uint64(at) }
