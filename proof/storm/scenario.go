package main

import "time"

const (
	attemptTimeout = time.Second      // of one attempt
	callDeadline   = 10 * time.Second // of a call, with its retries and waits
	limitWindow    = 5 * time.Second  // of the rate limit; the simulation has the same
)

// phase is what the server does from a given time on.
type phase struct {
	From    time.Duration
	Share   float64 // of its capacity; zero means that the workers stand still
	Refuses bool    // the listener and all connections are closed
	Limit   int     // requests that it takes in each limitWindow; zero means no limit
}

// scenario is a load on a server that gets into trouble.
type scenario struct {
	Name       string
	File       string // of its plot
	Clients    int    // processes
	PerSecond  float64
	Workers    int
	Capacity   float64 // requests per second of all workers together
	Depth      int     // requests in the queue; a further one gets a 503
	Phases     []phase
	Begin      time.Duration // of the trouble
	End        time.Duration
	Horizon    time.Duration // no call begins later
	Contenders []string      // their names; nil means all
	Restarts   bool          // the server process is killed at Begin, and another one starts at End
}

// limits reports whether the trouble is a rate limit.
func (s *scenario) limits() bool { return s.Phases[1].Limit > 0 }

// offered is the calls per second of all clients.
func (s *scenario) offered() float64 { return float64(s.Clients) * s.PerSecond }

// trouble sets the phases: well, p for a time, well again for another time.
func (s *scenario) trouble(calm, length, after time.Duration, p phase) {
	s.Begin, s.End, s.Horizon = calm, calm+length, calm+length+after
	p.From = s.Begin
	s.Phases = []phase{{Share: 1}, p, {From: s.End, Share: 1}}
}

// scenarios returns the scenarios for so many clients with 10 calls per second each. All
// times follow from the length of a minute.
func scenarios(clients int, minute time.Duration) []*scenario {
	tenth := minute / 6 // ten seconds
	make := func(name, file string) *scenario {
		s := &scenario{Name: name, File: file, Clients: clients, PerSecond: 10, Workers: 8}
		s.Capacity = s.offered() / 0.8 // it is 80 % busy
		s.Depth = int(8 * s.Capacity)  // eight seconds of work, as in the simulation's tables
		return s
	}
	brownOut := make("brown-out", "brown-out.svg")
	brownOut.trouble(tenth, minute, 7*tenth, phase{Share: 0.3})

	refused := make("outage, refused", "outage-refused.svg")
	refused.trouble(tenth, 3*tenth, 3*tenth, phase{Share: 1, Refuses: true})

	swallowed := make("outage, swallowed", "outage-swallowed.svg")
	swallowed.trouble(tenth, 3*tenth, 7*tenth, phase{})

	restart := make("restart", "restart.svg")
	restart.trouble(tenth, 2*time.Second, 3*tenth, phase{Share: 1})
	restart.Restarts = true

	limit := make("rate limit", "rate-limit.svg")
	limit.Workers, limit.Capacity = 64, 10*limit.offered() // this is not about load
	perWindow := int(0.75 * limit.offered() * limitWindow.Seconds())
	limit.trouble(tenth, minute, 2*tenth, phase{Share: 1, Limit: perWindow})
	return []*scenario{brownOut, refused, swallowed, restart, limit}
}

// at returns the phase of a time.
func at(phases []phase, t time.Duration) phase {
	p := phases[0]
	for _, next := range phases[1:] {
		if next.From <= t {
			p = next
		}
	}
	return p
}

// finished returns when work is done that begins at a time. work is how long it takes at
// full capacity. The last phase is none that stands still.
func finished(phases []phase, begin, work time.Duration) time.Duration {
	for i, p := range phases[:len(phases)-1] {
		next := phases[i+1].From
		if next <= begin {
			continue
		}
		left := time.Duration(float64(next-begin) * p.Share) // what it can do until then
		if work <= left {
			return begin + time.Duration(float64(work)/p.Share)
		}
		work, begin = work-left, next
	}
	return begin + time.Duration(float64(work)/phases[len(phases)-1].Share)
}
