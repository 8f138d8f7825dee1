// Package latency measures how long the responses of each host take, and returns
// quantiles of the last one to two minutes. Memory is bounded per host and in the number
// of hosts. For a host that is already known, neither Note nor Quantile takes a lock. The
// current time is an argument.
package latency

import (
	"maps"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxHosts = 256

	// window is the time that one half covers. A quantile is taken over the half that is
	// being filled and the half before it, so over one to two windows.
	window = time.Minute

	// refresh is how long a quantile is cached.
	refresh = time.Second

	// steps is how many buckets there are between a time and its double. So a quantile is
	// at most an eighth too large.
	steps   = 8
	shift   = 3 // log2 of steps
	doubles = 32
	buckets = doubles * steps

	// unit is the width of the first buckets. Anything faster counts as one unit.
	unit = 16 * time.Microsecond
)

// Tracker keeps the times of all hosts. The zero value is ready for use. It is safe for
// concurrent use, and must not be copied.
type Tracker struct {
	start atomic.Int64 // Unix time in nanoseconds; zero before the first note
	hosts atomic.Pointer[map[string]*host]
	mu    sync.Mutex // for the next map
}

type host struct {
	halves  [2]half
	cached  atomic.Int64 // the quantile, in nanoseconds
	expires atomic.Int64 // when cached expires: a Duration since start
}

// half is the histogram of one window.
type half struct {
	number atomic.Int64 // of the window whose times are counted
	count  [buckets]atomic.Uint32
}

// Note records that a response of the host took d.
func (t *Tracker) Note(name string, now time.Time, d time.Duration) {
	h := t.host(name, now, true)
	if h == nil {
		return
	}
	n := int64(t.since(now) / window)
	w := &h.halves[n%2]
	if was := w.number.Load(); was != n && w.number.CompareAndSwap(was, n) {
		// A concurrent Note may be lost here, which changes nothing that matters.
		for i := range w.count {
			w.count[i].Store(0)
		}
	}
	w.count[bucketOf(d)].Add(1)
}

// Quantile returns the time within which the given share of the host's responses arrived.
// If fewer than atLeast responses are known, it reports false.
func (t *Tracker) Quantile(name string, now time.Time, share float64, atLeast int) (time.Duration, bool) {
	h := t.host(name, now, false)
	if h == nil {
		return 0, false
	}
	passed := t.since(now)
	if int64(passed) < h.expires.Load() {
		d := h.cached.Load()
		return time.Duration(d), d > 0
	}
	d := h.quantile(int64(passed/window), share, atLeast)
	h.cached.Store(int64(d))
	h.expires.Store(int64(passed + refresh))
	return d, d > 0
}

// quantile returns zero if too little is known.
func (h *host) quantile(n int64, share float64, atLeast int) time.Duration {
	var counts [buckets]uint64
	total := uint64(0)
	for i := range h.halves {
		w := &h.halves[i]
		if number := w.number.Load(); number != n && number != n-1 {
			continue
		}
		for b := range w.count {
			c := uint64(w.count[b].Load())
			counts[b] += c
			total += c
		}
	}
	if total < uint64(max(atLeast, 1)) {
		return 0
	}
	rest := uint64(float64(total) * (1 - min(max(share, 0), 1)))
	for b := buckets - 1; b >= 0; b-- {
		if counts[b] > rest {
			return upper(b)
		}
		rest -= counts[b]
	}
	return unit
}

// bucketOf returns the bucket of d. Below steps units, each unit has its own bucket. From
// there on, each range from a time to its double has steps buckets of the same width.
func bucketOf(d time.Duration) int {
	u := uint64(max(d, 0) / unit)
	if u < steps {
		return int(u)
	}
	double := bits.Len64(u) - 1 - shift // 0 for [steps, 2·steps)
	return min(steps+double*steps+int(u>>double)-steps, buckets-1)
}

// upper is the end of a bucket.
func upper(b int) time.Duration {
	if b < steps {
		return time.Duration(b+1) * unit
	}
	double := (b - steps) / steps
	return time.Duration(steps+(b-steps)%steps+1) << double * unit
}

// since returns the time since the first note.
func (t *Tracker) since(now time.Time) time.Duration {
	ns := now.UnixNano()
	if t.start.Load() == 0 {
		t.start.CompareAndSwap(0, ns)
	}
	// Add two windows: a half that was never used has number 0, so no real window may
	// have number 0, nor number 1, whose window before is 0.
	return max(time.Duration(ns-t.start.Load()), 0) + 2*window
}

// host returns the named host. If it is unknown, host adds it if add is set and there is
// room, and otherwise returns nil.
func (t *Tracker) host(name string, now time.Time, add bool) *host {
	hosts := t.hosts.Load()
	if hosts != nil {
		if h := (*hosts)[name]; h != nil {
			return h
		}
	}
	if !add {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[string]*host{}
	if hosts = t.hosts.Load(); hosts != nil {
		if h := (*hosts)[name]; h != nil {
			return h
		}
		next = maps.Clone(*hosts)
	}
	n := int64(t.since(now) / window)
	if len(next) >= maxHosts {
		maps.DeleteFunc(next, func(_ string, h *host) bool {
			return max(h.halves[0].number.Load(), h.halves[1].number.Load()) < n-1
		})
	}
	if len(next) >= maxHosts {
		return nil
	}
	h := new(host)
	h.halves[n%2].number.Store(n)
	next[strings.Clone(name)] = h
	t.hosts.Store(&next)
	return h
}
