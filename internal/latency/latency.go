// Package latency knows how long the responses of each host take, as a high quantile
// of the last minutes. Memory is bounded per host and in the number of hosts, and
// neither a note nor a question locks anything for a host that is known. Time is an
// argument.
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

	// window is how long a half of what is known counts. A quantile is taken over the
	// half that is being filled and the one before, so over one to two windows.
	window = time.Minute

	// refresh is how long a quantile is used before it is computed anew.
	refresh = time.Second

	// steps is how many buckets there are between a time and its double: a quantile is
	// exact to an eighth.
	steps   = 8
	shift   = 3 // log2 of steps
	doubles = 32
	buckets = doubles * steps

	// unit is the width of the first buckets. Anything faster counts as that fast.
	unit = 16 * time.Microsecond
)

// Tracker has the hosts. The zero value knows none. It is safe for concurrent use, and
// must not be copied.
type Tracker struct {
	start atomic.Int64 // Unix time in nanoseconds; zero before the first note
	hosts atomic.Pointer[map[string]*host]
	mu    sync.Mutex // for the next map
}

type host struct {
	halves  [2]half
	cached  atomic.Int64 // the quantile, in nanoseconds
	expires atomic.Int64 // of what is cached: a Duration since start
}

// half is the histogram of one window.
type half struct {
	number atomic.Int64 // of the window
	count  [buckets]atomic.Uint32
}

// Note notes that a response of host took d.
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

// Quantile returns the time within which the given share of the host's responses came.
// It reports false while fewer than atLeast are known.
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

// bucketOf returns the bucket of d. Up to steps units there is one for each unit; then
// each double has steps buckets of the same width.
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
	// Both halves' numbers are zero at first: no window is the zeroth or first.
	return max(time.Duration(ns-t.start.Load()), 0) + 2*window
}

// host returns the host, which is added if add says so and there is room.
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
