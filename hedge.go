package insist

import (
	"sync/atomic"
	"time"

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
// it is on record, with Attempt.Beside set. It draws on the policy's Budget or, if there
// is none, on Share. If all responses are slow, the delay that is measured grows with
// them; if all calls fail, there are soon no hedges.
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

	// Share is how many hedges each call that ends well pays for, if the policy has no
	// Budget. Zero means 0.05; negative means none.
	Share float64

	seen  latency.Tracker
	spent atomic.Int64 // hedges made, minus those that calls have paid for, in thousandths
}

const (
	hedgeQuantile = 0.97
	hedgeKnown    = 32
	hedgeShare    = 0.05
	hedgeReserve  = 4    // hedges that are free before any call has paid for one
	hedgeSaved    = 10   // hedges that can be saved up
	hedgeUnit     = 1000 // one hedge, in the unit of Hedge.spent
)

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
	d, ok := h.seen.Quantile(host, now, hedgeQuantile, hedgeKnown)
	least := h.MinDelay
	if least == 0 {
		least = 5 * time.Millisecond
	}
	return max(d, least), ok
}

// note notes how long a response took to begin, or how long an overtaken attempt had
// waited for one. A nil Hedge notes nothing.
func (h *Hedge) note(host string, begun time.Time) {
	if h != nil && h.Delay == 0 {
		now := time.Now()
		h.seen.Note(host, now, now.Sub(begun))
	}
}

// withdraw takes one hedge from what calls have paid for. It reports whether there was
// one.
func (h *Hedge) withdraw() bool {
	if h.Share < 0 {
		return false
	}
	if h.spent.Add(hedgeUnit) <= hedgeReserve*hedgeUnit {
		return true
	}
	h.spent.Add(-hedgeUnit)
	return false
}

// refund gives back what withdraw took.
func (h *Hedge) refund() { h.spent.Add(-hedgeUnit) }

// deposit adds the share of a hedge that a call that ended well pays for.
func (h *Hedge) deposit() {
	share := h.Share
	if share == 0 {
		share = hedgeShare
	}
	if !(share > 0) { // also if it is NaN
		return
	}
	paid := int64(min(share, 1) * hedgeUnit)
	if left := h.spent.Add(-paid); left < -hedgeSaved*hedgeUnit {
		h.spent.Add(paid)
	}
}
