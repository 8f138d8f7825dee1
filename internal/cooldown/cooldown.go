// Package cooldown keeps the pauses that servers have requested. If a response to one call
// requests a pause, all calls with the same key wait until the pause ends, and then resume
// one after another, not at the same instant. Time and randomness are arguments.
//
// # How calls resume
//
// Each waiting call has a place in the queue. The first call may resume shortly after the
// end of the pause. From then on, the number of calls that have resumed doubles with each
// gap. So the first calls are probes: as long as few calls have resumed, the next ones are
// far apart. If the server limits again, only the calls that resume within the time of one
// response are rejected as well. Their number depends on how many calls the limit lets
// pass, not on how many wait. Still, after ten gaps a thousand calls have resumed.
//
// If a call is limited while the others resume, a new pause begins and the gap doubles, up
// to an eighth of the new pause. Each call that has not resumed by then gets a new place,
// and waits for the end of the new pause.
package cooldown

import (
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxKeys = 1024

	// longest bounds a pause. If a server requests a longer one, calls are sent again after
	// this time: the server may respond differently by then.
	longest = 24 * time.Hour

	// The gap is at most one part in this many of the pause. So the time in which calls
	// resume is in proportion to the pause, whether that is an hour or 20 milliseconds.
	firstShare = 16 // for the first gap
	mostShare  = 8  // for a gap that was doubled

	// rampGaps is the time, in gaps, after which the last of 1024 calls has resumed. From
	// then on, calls don't wait.
	rampGaps = 10
)

// Table keeps the pause of each key. The zero value has no pauses. It is safe for
// concurrent use, and must not be copied.
type Table struct {
	keys atomic.Pointer[keys]
	mu   sync.Mutex // for Pause, which makes the next keys
}

// keys is never changed, but replaced. So a call whose key never had a pause takes no lock.
type keys struct {
	start   time.Time // other times count from it
	pauses  map[string]*pause
	sweepAt time.Duration // if the table is full, no pause is over before this time
}

// pause is the last pause of a key.
type pause struct {
	over atomic.Int64 // a Duration since start: from then on no call waits, nor takes the lock

	mu     sync.Mutex // protects the rest
	number uint64     // of the pause; a Place with another number is of an older pause
	end    time.Duration
	gap    time.Duration
	placed uint64 // calls that have a place
}

// Place is the place of one call in the queue of a key. The zero value means no place.
// Each wait of a call needs a Place of its own.
type Place struct {
	number uint64
	gaps   float64 // after the end of the pause
}

// Quiet reports whether no key ever had a pause. If so, the caller need not compute a key.
func (t *Table) Quiet() bool { return t.keys.Load() == nil }

// Pause pauses key from now on for the time wait, but for a day at most. It never shortens
// a pause that has not ended. spread is the first gap between the calls that resume; after
// a short pause the gap is shorter. If spread is zero or negative, all calls resume at the
// end of the pause.
//
// Pause does nothing if wait is not positive, if key is empty, or if 1024 other keys have a
// pause.
func (t *Table) Pause(key string, now time.Time, wait, spread time.Duration) {
	if wait <= 0 || key == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.with(key, now)
	if p := k.pauses[key]; p != nil {
		p.begin(k.passed(now), min(wait, longest), max(0, spread))
	}
}

func (p *pause) begin(now, wait, spread time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gap := min(spread, wait/firstShare)
	if p.number > 0 && now < p.end {
		// The pause has not ended, so this request was sent before it, and says
		// nothing about the calls that resume.
		p.gap = max(p.gap, gap)
	} else {
		if now < time.Duration(p.over.Load()) {
			gap = max(gap, min(2*p.gap, wait/mostShare))
		}
		p.gap, p.placed = gap, 0
		p.number++
	}
	p.end = max(p.end, now+wait)
	p.over.Store(int64(p.end + rampGaps*p.gap))
}

// Until returns when a call of this key may proceed (at), and when the pause ends (end, not
// later than at). If the call may proceed now, both are zero. After it has waited, the
// call must call Until again with the same place, because a new pause may have begun.
// random must return numbers from 0 to 1, as rand.Float64 does.
func (t *Table) Until(key string, now time.Time, place *Place, random func() float64) (at, end time.Time) {
	k := t.keys.Load()
	if k == nil {
		return at, end
	}
	p := k.pauses[key]
	if p == nil {
		return at, end
	}
	if k.passed(now) >= time.Duration(p.over.Load()) {
		return at, end
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if place.number != p.number {
		p.placed++
		place.number, place.gaps = p.number, math.Log2(float64(p.placed))+random()
	}
	slot := k.start.Add(p.end + time.Duration(place.gaps*float64(p.gap)))
	if !slot.After(now) {
		return at, end
	}
	return slot, k.start.Add(p.end)
}

// passed returns the time from start to now, capped so that adding a pause can't overflow.
func (k *keys) passed(now time.Time) time.Duration {
	return min(now.Sub(k.start), math.MaxInt64/2)
}

// with returns keys that contain key, unless there is no room for it. The caller holds mu.
func (t *Table) with(key string, now time.Time) *keys {
	k := t.keys.Load()
	if k == nil {
		k = &keys{start: now}
	}
	passed := k.passed(now)
	if k.pauses[key] != nil || len(k.pauses) >= maxKeys && passed < k.sweepAt {
		return k
	}
	next := *k
	next.pauses = maps.Clone(k.pauses)
	if next.pauses == nil {
		next.pauses = make(map[string]*pause)
	}
	if len(next.pauses) >= maxKeys {
		next.sweep(passed)
	}
	if len(next.pauses) < maxKeys {
		// A clone, because key may share the memory of a much longer text.
		next.pauses[strings.Clone(key)] = new(pause)
	}
	t.keys.Store(&next)
	return &next
}

// sweep deletes the keys for which no call waits.
func (k *keys) sweep(now time.Duration) {
	k.sweepAt = math.MaxInt64
	for key, p := range k.pauses {
		over := time.Duration(p.over.Load())
		if over <= now {
			delete(k.pauses, key)
		} else {
			k.sweepAt = min(k.sweepAt, over)
		}
	}
}
