package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// service is what hedged calls are made to.
type service interface {
	// send takes a request. It returns when the response arrives, whether it is good, and
	// the replica that works on it.
	send(now time.Duration) (at time.Duration, ok bool, replica int)

	// leave says that the response has arrived, or that nobody waits for it any more.
	leave(replica int)
}

// replicas answer as fast as if each request were the only one.
type replicas struct {
	n           int
	slow        int           // how many of them are slow
	balanced    bool          // each request goes to a replica with the fewest in flight
	slowShare   float64       // of the responses of any of them that are slow
	allSlowFrom time.Duration // zero: never
	random      *rand.Rand
	inFlight    []int
}

// A response of a healthy replica takes at least 8 ms, half of them at most 10 ms.
const (
	leastTime    = 8 * time.Millisecond
	medianTime   = 10 * time.Millisecond
	slowFactor   = 100 // slow ones take so many times as long
	meanAddition = float64(medianTime-leastTime) / math.Ln2
)

// healthy95 is the time within which 95 of 100 responses of a healthy replica begin.
var healthy95 = leastTime + time.Duration(meanAddition*math.Log(20))

func newReplicas(r replicas, random *rand.Rand) *replicas {
	r.random, r.inFlight = random, make([]int, r.n)
	return &r
}

func (r *replicas) send(now time.Duration) (time.Duration, bool, int) {
	replica := r.pick()
	r.inFlight[replica]++
	takes := float64(leastTime) + r.random.ExpFloat64()*meanAddition
	if replica < r.slow || r.random.Float64() < r.slowShare {
		takes *= slowFactor
	}
	if r.allSlowFrom > 0 && now >= r.allSlowFrom {
		takes *= slowTimes
	}
	return now + time.Duration(takes), true, replica
}

func (r *replicas) leave(replica int) { r.inFlight[replica]-- }

func (r *replicas) pick() int {
	start := r.random.IntN(r.n)
	if !r.balanced {
		return start
	}
	best := start
	for i := range r.n {
		if other := (start + i) % r.n; r.inFlight[other] < r.inFlight[best] {
			best = other
		}
	}
	return best
}

// queued is the server of the other scenarios: one queue.
type queued struct{ *server }

func (q queued) send(now time.Duration) (time.Duration, bool, int) {
	a := q.accept(now)
	return a.at, a.ok, 0
}

func (queued) leave(int) {}
