package main

import (
	"fmt"
	"time"

	"github.com/seed-552c89fc/insist"
)

// shape is how the same load is divided among clients. Each client is a process, with a
// budget of its own.
type shape struct {
	clients   int
	perSecond float64 // calls of one client, on average, at random times
}

func (s shape) String() string { return fmt.Sprintf("%d × %g/s", s.clients, s.perSecond) }

var shapes = []shape{{1000, 1}, {10, 100}}

// scenario is a load on a server that gets into trouble.
type scenario struct {
	shape
	name    string
	server  server
	begin   time.Duration // of the trouble
	end     time.Duration
	horizon time.Duration // the end of the run
	timeout time.Duration // of an attempt
	calls   callRules
	wait    func(n int) time.Duration // if not nil, instead of the policy's
}

// callRules are rules of calls that only a forecast has; see predict.go.
type callRules struct {
	deadline time.Duration // of a call, from its begin; zero means none
	cooldown bool          // each client has a Cooldown
}

const (
	offered     = 1000.0 // calls per second, of all clients
	capacity    = 1250.0 // requests per second: the server is 80 % busy
	deep        = 10000  // requests in a deep queue, 8 seconds of work
	calmTime    = 20 * time.Second
	troubleTime = 30 * time.Second
	longRun     = 240 * time.Second
	shortRun    = 90 * time.Second
)

// trouble returns the phases of a server that is well, in trouble for a time,
// and well again.
func trouble(length time.Duration, well, ill phase) []phase {
	ill.from = calmTime
	again := well
	again.from = calmTime + length
	return []phase{well, ill, again}
}

// scenarios returns what a policy has to prove itself in.
func scenarios(clients shape) []*scenario {
	var (
		well     = phase{rate: capacity}
		busy     = phase{rate: offered / 0.93}
		slow     = phase{rate: 0.3 * capacity}
		slowBusy = phase{rate: 0.3 * offered / 0.93}
		refusing = phase{refuses: true}
		silent   = phase{}
		brownOut = trouble(troubleTime, well, slow)
		blip     = server{phases: trouble(time.Second, well, refusing), depth: deep}
	)
	all := []*scenario{
		errorsAtRandom(clients, 0.03),
		errorsAtRandom(clients, 0.15),
		errorsAtRandom(clients, 0.33),
		{name: "brown-out", horizon: longRun, server: server{phases: brownOut, depth: deep}},
		{name: "brown-out of a busy server", horizon: longRun,
			server: server{phases: trouble(troubleTime, busy, slowBusy), depth: deep}},
		{name: "brown-out, shedding", horizon: shortRun, server: server{phases: brownOut, depth: 200, shed: 0.05}},
		{name: "outage, refused", horizon: shortRun,
			server: server{phases: trouble(troubleTime, well, refusing), depth: deep}},
		{name: "outage, swallowed", horizon: longRun,
			server: server{phases: trouble(troubleTime, well, silent), depth: deep}},
		{name: "outage, endless queue", horizon: longRun,
			server: server{phases: trouble(troubleTime, well, silent), depth: 1e9}},
		{name: "blip", horizon: shortRun, server: blip, end: calmTime + time.Second},
		{name: "blip, waits of 2 s", horizon: shortRun, server: blip, end: calmTime + time.Second,
			wait: insist.Constant(2 * time.Second)},
	}
	for _, s := range all {
		s.complete(clients)
	}
	return all
}

// errorsAtRandom returns a scenario in which a share of the responses are errors, and the
// server has no other trouble.
func errorsAtRandom(clients shape, share float64) *scenario {
	s := &scenario{
		name:    fmt.Sprintf("%.0f %% errors", 100*share),
		horizon: calmTime + troubleTime + 5*time.Second,
		// Ten times the capacity: this is not about load.
		server: server{phases: []phase{{rate: 10 * capacity}}, depth: deep, errors: share},
	}
	s.complete(clients)
	return s
}

// complete sets what is the same in all scenarios.
func (s *scenario) complete(clients shape) {
	s.shape = clients
	s.begin = calmTime
	if s.end == 0 {
		s.end = calmTime + troubleTime
	}
	s.timeout = time.Second
	s.server.travel = 20 * time.Millisecond
}

func find(name string, clients shape) *scenario {
	for _, s := range scenarios(clients) {
		if s.name == name {
			return s
		}
	}
	panic("no scenario " + name)
}
