package main

import (
	"sync"
	"time"
)

// counts has the number of events in each second, by their name.
type counts map[string][]float64

// What is counted. The server and the clients count for themselves.
const (
	arrived   = "arrived"   // requests, at the server
	started   = "started"   // requests that a worker began to process
	completed = "completed" // requests that it had processed while the client still waited
	wasted    = "wasted"    // requests that it had processed when the client had given up
	shed      = "shed"      // 503: the queue was full
	limited   = "limited"   // 429
	canceled  = "canceled"  // requests whose client gave up, when it did

	calls   = "calls"   // begun
	good    = "good"    // calls that succeeded, by the time when they began
	goodEnd = "goodEnd" // the same, by the time when they ended
	refused = "refused" // connections that were refused, as a client saw it

	late      = "late"      // calls that began lateBy or more after their time: the machine was busy
	overslept = "overslept" // the same of a worker's sleep
)

const lateBy = 100 * time.Millisecond

// tally counts events. It is safe for concurrent use.
type tally struct {
	start  time.Time
	mu     sync.Mutex
	counts counts
}

func newTally() *tally { return &tally{counts: counts{}} }

// add counts an event that happens now.
func (t *tally) add(name string) { t.addAt(name, time.Since(t.start)) }

// addAt counts an event.
func (t *tally) addAt(name string, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.add(name, max(0, int(at/time.Second)), 1)
}

// addIfLate counts an event that was due at a time, if it happens much later.
func (t *tally) addIfLate(name string, due time.Duration) {
	if now := time.Since(t.start); now-due >= lateBy {
		t.addAt(name, now)
	}
}

// take returns what was counted since the last take.
func (t *tally) take() report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := report{Counts: t.counts}
	t.counts = counts{}
	return r
}

// merge adds what a child process has counted.
func (t *tally) merge(r report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, seconds := range r.Counts {
		for i, n := range seconds {
			t.counts.add(name, i, n)
		}
	}
}

func (c counts) add(name string, second int, n float64) {
	seconds := c[name]
	for len(seconds) <= second {
		seconds = append(seconds, 0)
	}
	seconds[second] += n
	c[name] = seconds
}

// sum returns how many events there were in a time.
func (c counts) sum(name string, from, to time.Duration) (n float64) {
	for i, x := range c[name] {
		if second := time.Duration(i) * time.Second; second >= from && second < to {
			n += x
		}
	}
	return n
}
