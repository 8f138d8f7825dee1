package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
)

// capped is a bucket whose cap is a number of seconds of recent successes.
type capped struct {
	unlimited
	perSuccess, least, seconds float64
	tokens                     float64
	rate                       float64 // of successes, an average of 10 seconds
	at                         time.Duration
}

func (b *capped) succeeded(now time.Duration, _ int) {
	const memory = 10.0
	b.rate = b.rate*math.Exp(-(now-b.at).Seconds()/memory) + 1/memory
	b.at = now
	b.tokens = min(max(b.least, b.seconds*b.rate), b.tokens+b.perSuccess)
}

func (b *capped) allows(time.Duration, *bucket.Lease) bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// free is like ours, but a refused retry costs nothing.
type free struct {
	unlimited
	perSuccess, reserve, lifetime float64
	tokens                        float64
	at                            time.Duration
}

func newFree(perSuccess, reserve float64, burst time.Duration) *free {
	return &free{perSuccess: perSuccess, reserve: reserve, tokens: reserve, lifetime: burst.Seconds() / perSuccess}
}

func (b *free) fade(now time.Duration) {
	if b.tokens > b.reserve {
		b.tokens = max(b.reserve, b.tokens*math.Exp(-(now-b.at).Seconds()/b.lifetime))
	}
	b.at = now
}

func (b *free) succeeded(now time.Duration, _ int) {
	b.fade(now)
	b.tokens += b.perSuccess
}

func (b *free) allows(now time.Duration, _ *bucket.Lease) bool {
	if b.fade(now); b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// charged is like ours, but each failed attempt costs a token instead of each retry.
type charged struct{ ours }

func (b *charged) failed(now time.Duration) { b.bucket.Withdraw(b.rules, now, 0, new(bucket.Lease)) }

func (b *charged) allows(now time.Duration, _ *bucket.Lease) bool {
	return b.bucket.Tokens(b.rules, now) >= 1
}

// throttle is the adaptive throttling of the SRE book, but first attempts are
// always made.
type throttle struct {
	unlimited
	random            *rand.Rand
	k, memory         float64
	requests, accepts float64
	at                time.Duration
}

func (b *throttle) count(now time.Duration, accepted float64) {
	left := math.Exp(-(now - b.at).Seconds() / b.memory)
	b.requests, b.accepts, b.at = b.requests*left+1, b.accepts*left+accepted, now
}

func (b *throttle) failed(now time.Duration)           { b.count(now, 0) }
func (b *throttle) succeeded(now time.Duration, _ int) { b.count(now, 1) }

func (b *throttle) allows(time.Duration, *bucket.Lease) bool {
	reject := (b.requests - b.k*b.accepts) / (b.requests + 1)
	return b.random.Float64() >= reject
}
