package insist

import (
	"math/rand/v2"
	"time"

	"github.com/seed-552c89fc/insist/internal/backoff"
)

// Backoff returns the wait before the next attempt, after the given number of failed
// attempts, which is at least 1. It must keep no state of a call: one value is used by
// any number of calls at once. A negative wait counts as none. Any function of this type
// will do; Constant and Exponential return the usual ones.
type Backoff func(failed int) time.Duration

// Constant returns a Backoff that always waits d. Use it only if a server has few
// clients: after a constant wait, clients that failed together come back together.
// Zero or negative d means no wait.
func Constant(d time.Duration) Backoff {
	return func(int) time.Duration { return max(0, d) }
}

// Exponential returns a Backoff with full jitter: after n failed attempts it
// waits for a random time between 0 and base·2ⁿ⁻¹, but never more than limit.
// Use it for anything that many clients call, since it spreads them out
// ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
// Zero or negative base means no wait; zero or negative limit means no limit.
func Exponential(base, limit time.Duration) Backoff {
	return func(failed int) time.Duration {
		return backoff.FullJitter(base, limit, failed, rand.Int64N)
	}
}
