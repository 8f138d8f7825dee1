// Package cooldown keeps the pauses that servers have asked for, so that all calls
// wait for the end of one that any of them was told of, and don't come back at the
// same instant. Time and randomness are arguments.
//
// # How calls come back
//
// Each call that waits has a place in the queue: the first one may go a moment
// after the end of the pause, and then the number of those that went doubles with
// each gap. So the first calls are probes. While few have gone the next ones are
// far apart, and a limit that is met again is known before many run into it: about
// as many as go in the time of one response. That depends on how many calls the
// limit lets pass, not on how many wait. But after ten gaps a thousand are back.
//
// A call that meets the limit while the others come back doubles the gap, up to an
// eighth of the pause that is asked for then. Whoever has not gone by then gets a
// new place, and waits for the end of the new pause.
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

	// longest is how long a pause may be. A server that asks for more is asked
	// again after this, since by then it may know better.
	longest = 24 * time.Hour

	// The gap is at most this part of the pause. So calls come back within a time
	// that is in proportion to it, be it an hour or 20 milliseconds.
	firstShare = 16 // at first
	mostShare  = 8  // once it has been doubled

	// rampGaps is when the last of 1024 calls has its place. Calls that come later
	// don't wait.
	rampGaps = 10
)

// Table has the pause of each key. The zero value has none. It is safe for
// concurrent use, and must not be copied.
type Table struct {
	keys atomic.Pointer[keys]
	mu   sync.Mutex // for Pause, which makes the next keys
}

// keys is never changed, but replaced, so that a call whose key never asked for a
// pause locks nothing.
type keys struct {
	start   time.Time // other times count from it
	pauses  map[string]*pause
	sweepAt time.Duration // when there is no room, none can be made before
}

// pause is the last pause of a key.
type pause struct {
	over atomic.Int64 // the Duration from which on no call waits, so that it locks nothing

	mu     sync.Mutex // protects the rest
	number uint64     // of the pause, so that a Place in an older one is known to be
	end    time.Duration
	gap    time.Duration
	placed uint64 // calls that have a place
}

// Place is the place of one call in the queue of a key. The zero value is none.
// Each wait of a call has a Place of its own.
type Place struct {
	number uint64
	gaps   float64 // after the end of the pause
}

// Quiet reports whether nothing was ever paused. Then there is no need of a key.
func (t *Table) Quiet() bool { return t.keys.Load() == nil }

// Pause pauses key for the time wait from now on, but for a day at most. A pause
// that is on is never shortened. Calls come back with a first gap of spread, or
// less after a short pause; zero or negative has all come back at the end.
//
// Nothing happens if wait is not positive, if key is empty, and if 1024 other keys
// have a pause.
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
		// The request was sent before the pause, so that it says nothing about
		// those that come back.
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

// Until returns when a call of this key may go, and when the pause ends, which is
// earlier. If it may go now, both are zero. One that has waited must ask again,
// with the same place, since there may be a new pause. random is to return numbers
// from 0 to 1, as rand.Float64 does.
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

// passed returns the time from start to now, which leaves room for some days more.
func (k *keys) passed(now time.Time) time.Duration {
	return min(now.Sub(k.start), math.MaxInt64/2)
}

// with returns keys that have key, unless there is no room. It is called with mu
// locked.
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
		// The clone, since key may be a part of a much longer text.
		next.pauses[strings.Clone(key)] = new(pause)
	}
	t.keys.Store(&next)
	return &next
}

// sweep forgets the keys that no call waits for.
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
