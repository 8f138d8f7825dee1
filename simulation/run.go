package main

import (
	"math/rand/v2"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
)

// event is the arrival of an attempt at the server, or its end at the client.
type event struct {
	at      time.Duration
	begun   time.Duration // the call
	client  int32
	attempt int8
	ends    bool
	ok      bool
	lease   bucket.Lease
}

// runner plays one scenario with one policy.
type runner struct {
	*scenario
	attempts int
	wait     func(failed int) time.Duration
	server   *server
	budgets  []budget // of each client
	events   queue[event]
	result   *result
}

// run plays a scenario with a policy. The same seed gives the same result.
func run(s *scenario, p *policy, seed uint64) *result {
	arrivals := rand.New(rand.NewPCG(seed, 1))
	r := &runner{
		scenario: s,
		attempts: p.attempts,
		wait:     p.waits(rand.New(rand.NewPCG(seed, 2))),
		server:   newServer(s.server, rand.New(rand.NewPCG(seed, 3))),
		budgets:  make([]budget, s.clients),
		result:   newResult(s),
	}
	if s.wait != nil {
		r.wait = s.wait
	}
	for i := range r.budgets {
		r.budgets[i] = p.budget(rand.New(rand.NewPCG(seed, uint64(4+i))))
	}
	// Each client makes calls at random; together they do as well.
	gap := float64(time.Second) / (float64(s.clients) * s.perSecond)
	next := time.Duration(arrivals.ExpFloat64() * gap)
	for next < s.horizon || r.events.len() > 0 {
		if next < s.horizon && (r.events.len() == 0 || next <= r.events.first()) {
			r.begin(next, int32(arrivals.IntN(s.clients)))
			next += time.Duration(arrivals.ExpFloat64() * gap)
			continue
		}
		if _, e := r.events.pop(); e.ends {
			r.end(e)
		} else {
			r.arrive(e)
		}
	}
	return r.result
}

// begin begins a call.
func (r *runner) begin(now time.Duration, client int32) {
	r.result.calls.add(now)
	r.budgets[client].called(now)
	r.arrive(event{at: now, begun: now, client: client, attempt: 1})
}

// arrive passes an attempt to the server, and schedules its end.
func (r *runner) arrive(e event) {
	r.result.load.add(e.at)
	a := r.server.accept(e.at)
	if a.at > e.at+r.timeout {
		a = answer{at: e.at + r.timeout}
	}
	e.ends, e.at, e.ok = true, a.at, a.ok
	r.events.push(e.at, e)
}

// end does what the library does after an attempt has ended. (A test with the library
// itself checks that both do the same.)
func (r *runner) end(e event) {
	b := r.budgets[e.client]
	if e.ok {
		b.succeeded(e.at, int(e.attempt))
		r.result.good.add(e.begun)
		r.result.goodput.add(e.at)
		return
	}
	b.failed(e.at)
	if int(e.attempt) >= r.attempts || !b.allows(e.at, &e.lease) {
		return
	}
	e.at += r.wait(int(e.attempt))
	e.attempt++
	e.ends = false
	r.events.push(e.at, e)
}
