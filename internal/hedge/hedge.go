// Package hedge is the arithmetic of insist.Hedge: when a hedge begins, and how many there
// may be. It takes no lock. The current time is an argument, so the simulation runs the
// same code in virtual time.
package hedge

import (
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/latency"
)

// The defaults of insist.Hedge. They were chosen by the simulation.
const (
	DefaultMinDelay = 5 * time.Millisecond
	DefaultShare    = 0.05
)

const (
	quantile = 0.97 // of a host's responses begin within the delay
	known    = 32   // responses, before there is a delay

	// reserve is how many hedges there may be before any call has paid for one, and how
	// many a client that makes few calls saves up. If all responses are slow they are not
	// made: the first futile hedge takes what is saved.
	reserve = 10

	// burst is the time of good calls that a busy client saves up hedges for: so many
	// calls may be hedged at once.
	burst = 100 * time.Millisecond
)

// Delay returns how long an attempt waits for its response before a hedge begins. If too
// little is known of the host, it reports false.
func Delay(seen *latency.Tracker, host string, now time.Time, least time.Duration) (time.Duration, bool) {
	d, ok := seen.Quantile(host, now, quantile, known)
	return max(d, least), ok
}

// Share holds the hedges that calls have paid for. The zero value is ready for use. It is
// safe for concurrent use, and must not be copied. Each method has the share of a hedge
// that a call pays for as an argument; zero means zero.
type Share struct {
	start  atomic.Int64 // Unix time in nanoseconds; zero before the first use
	bucket bucket.Bucket
}

// Withdraw takes one hedge. It reports whether there was one.
func (s *Share) Withdraw(share float64, now time.Time) bool {
	if share < 0 {
		return false
	}
	var none bucket.Lease
	return s.bucket.Withdraw(rules(share), s.since(now), 0, &none)
}

// Refund gives back what Withdraw took, for a hedge that could not be made.
func (s *Share) Refund() { s.bucket.Refund() }

// Deposit adds the share of a hedge that a call that ended well pays for.
func (s *Share) Deposit(share float64, now time.Time) {
	s.bucket.Deposit(rules(share), s.since(now))
}

// Futile takes all that calls have paid for. It is for hedges that got no response within
// the delay either: then not a few responses are slow, but most, and further hedges would
// only add load.
func (s *Share) Futile(share float64, now time.Time) {
	s.bucket.Drain(rules(share), s.since(now))
}

func rules(share float64) bucket.Rules { return bucket.NewRules(share, reserve, burst) }

// since returns the time since the first use.
func (s *Share) since(now time.Time) time.Duration {
	ns := now.UnixNano()
	if s.start.Load() == 0 {
		s.start.CompareAndSwap(0, ns)
	}
	return max(time.Duration(ns-s.start.Load()), 0)
}
