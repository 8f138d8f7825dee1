package main

import (
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
)

// budget decides whether one client may retry. The client reports its events to it.
type budget interface {
	called(now time.Duration)
	failed(now time.Duration)
	succeeded(now time.Duration, attempt int)
	allows(now time.Duration, lease *bucket.Lease) bool // lease: of the call
}

// unlimited allows every retry. Other budgets embed it for events that they ignore.
type unlimited struct{}

func (unlimited) called(time.Duration)                     {}
func (unlimited) failed(time.Duration)                     {}
func (unlimited) succeeded(time.Duration, int)             {}
func (unlimited) allows(time.Duration, *bucket.Lease) bool { return true }

// ours is insist.Budget: its bucket, with the rules of a zero Budget.
type ours struct {
	unlimited
	rules   bucket.Rules
	retries int // that a call may make
	bucket  *bucket.Bucket
}

func newOurs(attempts int) *ours {
	return &ours{rules: bucket.Default(), retries: attempts - 1, bucket: bucket.New(0)}
}

func (b *ours) succeeded(now time.Duration, _ int) { b.bucket.Deposit(b.rules, now) }
func (b *ours) allows(now time.Duration, lease *bucket.Lease) bool {
	return b.bucket.Withdraw(b.rules, now, b.retries, lease)
}

// grpc is retry throttling as in gRPC's proposal A6: a failure costs 1 token, a success
// puts back ratio tokens, and retries are allowed while more than half of the tokens are
// left.
type grpc struct {
	unlimited
	tokens, most, ratio float64
}

func newGRPC() *grpc { return &grpc{tokens: 10, most: 10, ratio: 0.1} }

func (b *grpc) failed(time.Duration)                     { b.tokens = max(0, b.tokens-1) }
func (b *grpc) succeeded(time.Duration, int)             { b.tokens = min(b.most, b.tokens+b.ratio) }
func (b *grpc) allows(time.Duration, *bucket.Lease) bool { return b.tokens > b.most/2 }

// finagle is Finagle's RetryBudget: each call puts back a share of a retry, and
// so does each second; both are forgotten after 10 seconds.
type finagle struct {
	unlimited
	share, perSecond float64
	slots            [10]float64
	at               time.Duration
}

const finagleSlot = time.Second

func newFinagle() *finagle { return &finagle{share: 0.2, perSecond: 10} }

func (b *finagle) advance(now time.Duration) {
	for ; b.at+finagleSlot <= now; b.at += finagleSlot {
		b.slots[int(b.at/finagleSlot+1)%len(b.slots)] = 0
	}
}

func (b *finagle) slot() *float64 { return &b.slots[int(b.at/finagleSlot)%len(b.slots)] }

func (b *finagle) called(now time.Duration) {
	b.advance(now)
	*b.slot() += b.share
}

func (b *finagle) allows(now time.Duration, _ *bucket.Lease) bool {
	b.advance(now)
	left := b.perSecond * float64(len(b.slots)) * finagleSlot.Seconds()
	for _, s := range b.slots {
		left += s
	}
	if left < 1 {
		return false
	}
	*b.slot()--
	return true
}

// aws is the retry quota of the AWS SDKs: a retry costs 5 of 500 tokens. If that retry
// succeeds, the 5 are put back; if the first attempt of a call succeeds, 1 is put back.
type aws struct {
	unlimited
	tokens, most, cost float64
}

func newAWS() *aws { return &aws{tokens: 500, most: 500, cost: 5} }

func (b *aws) succeeded(_ time.Duration, attempt int) {
	back := 1.0
	if attempt > 1 {
		back = b.cost
	}
	b.tokens = min(b.most, b.tokens+back)
}

func (b *aws) allows(time.Duration, *bucket.Lease) bool {
	if b.tokens < b.cost {
		return false
	}
	b.tokens -= b.cost
	return true
}
