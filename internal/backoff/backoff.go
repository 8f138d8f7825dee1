// Package backoff computes the waits of insist.Exponential: exponential backoff with full
// jitter. It never overflows, and no argument panics. Randomness is an argument, so the
// simulation can repeat its runs.
package backoff

import (
	"math"
	"time"
)

// FullJitter returns a random time from 0 to Ceiling. random(n) must return a number from 0
// to n-1, as rand.Int64N does.
func FullJitter(base, limit time.Duration, failed int, random func(n int64) int64) time.Duration {
	d := Ceiling(base, limit, failed)
	if d == 0 {
		return 0
	}
	return time.Duration(random(int64(min(d, math.MaxInt64-1)) + 1))
}

// Ceiling is min(limit, base·2ᶠᵃⁱˡᵉᵈ⁻¹), without overflow for any failed. A limit that is
// zero or negative means no limit.
func Ceiling(base, limit time.Duration, failed int) time.Duration {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	base = max(0, base)
	for i := 1; i < failed && 0 < base && base < limit; i++ {
		if base > limit/2 {
			return limit
		}
		base *= 2
	}
	return min(base, limit)
}
