package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/backoff"
	"github.com/seed-552c89fc/insist/internal/bucket"
)

// policy is how the clients retry.
type policy struct {
	name     string
	attempts int
	waits    func(*rand.Rand) func(failed int) time.Duration
	budget   func(*rand.Rand) budget
}

// The numbers of insist.Standard. A test checks that they are the same.
const (
	attempts = 3
	base     = 200 * time.Millisecond
	limit    = 10 * time.Second
)

func fixedWait(*rand.Rand) func(int) time.Duration {
	return insist.Constant(2 * time.Second)
}

func exponential(*rand.Rand) func(int) time.Duration {
	return func(failed int) time.Duration { return backoff.Ceiling(base, limit, failed) }
}

func fullJitter(random *rand.Rand) func(int) time.Duration {
	return func(failed int) time.Duration {
		return backoff.FullJitter(base, limit, failed, random.Int64N)
	}
}

func noBudget(*rand.Rand) budget { return unlimited{} }

// compared are the policies of the table, the library's last.
var compared = []*policy{
	{"no retries", 1, fullJitter, noBudget},
	{"fixed wait of 2 s", attempts, fixedWait, noBudget},
	{"exponential", attempts, exponential, noBudget},
	{"full jitter", attempts, fullJitter, noBudget},
	{"+ gRPC 10 @ 0.1", attempts, fullJitter, func(*rand.Rand) budget { return newGRPC() }},
	{"+ Finagle 20 % + 10/s", attempts, fullJitter, func(*rand.Rand) budget { return newFinagle() }},
	{"+ AWS 500 @ 5", attempts, fullJitter, func(*rand.Rand) budget { return newAWS() }},
	{"+ insist", attempts, fullJitter, func(*rand.Rand) budget { return newOurs(attempts) }},
}

// tried are mechanisms that were examined and rejected.
var tried = []*policy{
	{"0.3, cap 5 or 2 s", attempts, fullJitter, func(*rand.Rand) budget {
		return &capped{perSuccess: 0.3, least: 5, seconds: 2, tokens: 5}
	}},
	{"0.4, refusals free", attempts, fullJitter, func(*rand.Rand) budget {
		return newFree(bucket.DefaultPerSuccess, bucket.DefaultReserve, bucket.DefaultBurst)
	}},
	{"failures charged", attempts, fullJitter, func(*rand.Rand) budget {
		return &charged{ours: *newOurs(attempts)}
	}},
	{"adaptive throttling", attempts, fullJitter, func(random *rand.Rand) budget {
		return &throttle{random: random, k: 2, memory: 30}
	}},
}

// others are policies that only forecasts have.
var others = []*policy{
	// The waits of its DefaultBackoff, and RetryMax 4.
	{"go-retryablehttp", 5, func(*rand.Rand) func(int) time.Duration {
		return func(failed int) time.Duration { return backoff.Ceiling(time.Second, 30*time.Second, failed) }
	}, noBudget},
}

func named(name string) *policy {
	for _, p := range append(slices.Clip(compared), others...) {
		if p.name == name {
			return p
		}
	}
	panic("no policy " + name)
}
