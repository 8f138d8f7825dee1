package insist

import (
	"time"

	"github.com/seed-552c89fc/insist/internal/hedge"
	"github.com/seed-552c89fc/insist/internal/latency"
)

// Hedge begins another attempt beside one whose response is slow, and takes the first
// response that no rule counts as a failure (Dean and Barroso, "The Tail at Scale",
// CACM 2013). Use it where a few responses in a hundred take many times as long as the
// rest, and the service has the capacity for a few per cent more requests. Make one for
// a process, and set the pointer in the Policy of each transport that calls the same
// services. The zero value is ready for use. A Hedge is safe for concurrent use; it
// must not be copied, nor its fields changed, once it is used.
//
// Only a request that may be carried out twice at the same time is hedged: one that is
// idempotent by the policy's rule or by its key, and whose body can be read twice at the
// same time. There is none, or it is in memory, a file or an io.SectionReader. A body of
// GetBody is one if GetBody returns new readers; the hedge does not begin in the middle of
// an upload. A body that can be read once must be fully buffered first (MaxReplayBytes).
// Any other request has one attempt at a time, as without a Hedge: also one whose GetBody
// or Seek rewinds the reader that is being sent. So has a request to a host whose calls a
// Cooldown holds back.
//
// A hedge is an attempt: it counts toward MaxAttempts, PerAttemptTimeout bounds it, and
// it is on record, with Attempt.Beside set. None begins before a wait has ended that a
// failed attempt of the call asked for. It draws on Share and, if the policy has one,
// on the Budget. If all responses are slow, the delay that is measured grows with them in
// a minute or two. Until then, the first call whose hedges are slow as well takes all that
// calls have paid for, and there are few hedges. The hosts that a Hedge is used for share
// what is paid: services that are slow at different times should have one each.
type Hedge struct {
	// Delay is how long an attempt waits for its response before a hedge begins.
	// Zero means that the delay is measured for each host: the time in which 97 of 100
	// responses of the last one to two minutes began. Until 32 of them are known there
	// is no hedge. Negative means no hedges at all.
	Delay time.Duration

	// MinDelay is the shortest delay if it is measured.
	// Zero means 5 milliseconds; negative means no bound.
	MinDelay time.Duration

	// Extra is how many attempts may be in flight beside the first one.
	// Zero means 1; negative means none.
	Extra int

	// Share is how many hedges each call that ends well pays for. Ten are saved up at
	// most and to begin with, or those that the calls of a tenth of a second may need.
	// Zero means 0.05; negative means that there are no hedges.
	Share float64

	seen  latency.Tracker
	saved hedge.Share
}

func (h *Hedge) extra() int {
	if h.Extra == 0 {
		return 1
	}
	return max(h.Extra, 0)
}

// delay returns how long an attempt waits before a hedge begins, and false if none does.
func (h *Hedge) delay(host string, now time.Time) (time.Duration, bool) {
	switch {
	case h.Delay < 0 || h.extra() == 0:
		return 0, false
	case h.Delay > 0:
		return h.Delay, true
	}
	least := h.MinDelay
	if least == 0 {
		least = hedge.DefaultMinDelay
	}
	return hedge.Delay(&h.seen, host, now, least)
}

// note notes how long a response took to begin, or how long an overtaken attempt had
// waited for one. A nil Hedge notes nothing.
func (h *Hedge) note(host string, begun time.Time) {
	if h != nil && h.Delay == 0 {
		now := time.Now()
		h.seen.Note(host, now, now.Sub(begun))
	}
}

// share returns Share, with the default filled in.
func (h *Hedge) share() float64 {
	if h.Share == 0 {
		return hedge.DefaultShare
	}
	return h.Share
}

// withdraw takes one hedge from what calls have paid for. It reports whether there was
// one.
func (h *Hedge) withdraw(now time.Time) bool { return h.saved.Withdraw(h.share(), now) }

// refund gives back what withdraw took.
func (h *Hedge) refund() { h.saved.Refund() }

// deposit adds the share of a hedge that a call that ended well pays for.
func (h *Hedge) deposit(now time.Time) {
	if h != nil {
		h.saved.Deposit(h.share(), now)
	}
}

// futile takes all that calls have paid for: the hedges of a call are slow, too.
func (h *Hedge) futile(now time.Time) { h.saved.Futile(h.share(), now) }
