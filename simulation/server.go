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
}

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
}

// answer is the response to an attempt, if the client waits long enough.
type answer struct {
	at time.Duration
	ok bool
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
func (s *server) accept(now time.Duration) answer {
	i := sort.Search(len(s.phases), func(i int) bool { return s.phases[i].from > now }) - 1
	if s.phases[i].refuses {
		return answer{now + s.travel, false}
	}
	clock := s.done[i] + s.phases[i].rate*(now-s.phases[i].from).Seconds()
	s.booked = max(s.booked, clock)
	if s.booked-clock >= s.depth {
		s.booked += s.shed
		return answer{now + s.travel, false}
	}
	s.booked += s.random.ExpFloat64()
	return answer{s.finished(i) + s.travel, s.random.Float64() >= s.errors}
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
