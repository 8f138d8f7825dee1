package main

import (
	"math/rand/v2"
	"sort"
	"time"
)

// phase is what the server can do from a given time on.
type phase struct {
	from    time.Duration
	rate    float64 // requests per second; zero means that it stands still
	refuses bool    // connections are refused: it gets no work, and answers at once
	limit   int     // requests that it takes in each limitWindow; zero means no limit
}

// limitWindow is the window of a rate limit. A request above the limit is asked to wait
// until the window ends.
const limitWindow = 5 * time.Second

// server processes one queue in the order of arrival. A request in the queue is processed
// completely, even if its client has given up.
type server struct {
	phases []phase
	depth  float64 // requests in the queue; a further one is shed
	shed   float64 // work to shed a request, as a share of the work to process one
	errors float64 // share of responses that are errors at random
	travel time.Duration

	random *rand.Rand
	done   []float64 // work the server could have done before each phase
	booked float64   // the same clock, when all that is in the queue is done
	window time.Duration
	taken  int // requests, in that window
}

// reply is the response to an attempt, if the client waits long enough.
type reply struct {
	at    time.Duration
	ok    bool
	asked time.Duration // Retry-After; zero if the rate limit has let it pass
}

func newServer(s server, random *rand.Rand) *server {
	s.random = random
	s.done = make([]float64, len(s.phases))
	for i := 1; i < len(s.phases); i++ {
		length := s.phases[i].from - s.phases[i-1].from
		s.done[i] = s.done[i-1] + s.phases[i-1].rate*length.Seconds()
	}
	return &s
}

// accept takes a request that arrives at now.
func (s *server) accept(now time.Duration) reply {
	i := sort.Search(len(s.phases), func(i int) bool { return s.phases[i].from > now }) - 1
	if s.phases[i].refuses {
		return reply{at: now + s.travel}
	}
	if asked := s.overLimit(now, s.phases[i].limit); asked > 0 {
		return reply{at: now + s.travel, asked: asked}
	}
	clock := s.done[i] + s.phases[i].rate*(now-s.phases[i].from).Seconds()
	s.booked = max(s.booked, clock)
	if s.booked-clock >= s.depth {
		s.booked += s.shed
		return reply{at: now + s.travel}
	}
	s.booked += s.random.ExpFloat64()
	return reply{at: s.finished(i) + s.travel, ok: s.random.Float64() >= s.errors}
}

// overLimit counts a request, and returns how long it is asked to wait, in whole seconds,
// if it is above the limit.
func (s *server) overLimit(now time.Duration, limit int) time.Duration {
	if limit == 0 {
		return 0
	}
	if window := now.Truncate(limitWindow); window != s.window {
		s.window, s.taken = window, 0
	}
	if s.taken >= limit {
		return (s.window + limitWindow - now + time.Second - 1).Truncate(time.Second)
	}
	s.taken++
	return 0
}

// finished returns when the work that is booked will be done. i is the phase of
// now.
func (s *server) finished(i int) time.Duration {
	for i+1 < len(s.phases) && s.done[i+1] < s.booked {
		i++
	}
	if s.phases[i].rate == 0 {
		return 1 << 62 // the run ends before
	}
	seconds := (s.booked - s.done[i]) / s.phases[i].rate
	return s.phases[i].from + time.Duration(seconds*float64(time.Second))
}
