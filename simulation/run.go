package main

import (
	"math/rand/v2"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/cooldown"
)

// event is the arrival of an attempt at the server, or its end at the client.
type event struct {
	at      time.Duration
	begun   time.Duration // the call
	client  int32
	attempt int8
	ends    bool
	ok      bool
	asked   time.Duration   // Retry-After of its response
	place   *cooldown.Place // after a pause; nil if no Cooldown holds the call
	lease   bucket.Lease
}

// runner plays one scenario with one policy.
type runner struct {
	*scenario
	attempts int
	wait     func(failed int) time.Duration
	server   *server
	budgets  []budget         // of each client
	pauses   []cooldown.Table // of each client, if they have Cooldowns
	random   *rand.Rand       // of the Cooldowns
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
	if s.calls.cooldown {
		r.pauses, r.random = make([]cooldown.Table, s.clients), rand.New(rand.NewPCG(seed, 0))
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
	if r.held(&e) {
		return
	}
	r.result.load.add(e.at)
	a := r.server.accept(e.at)
	timeout := r.timeout
	if r.calls.deadline > 0 {
		timeout = min(timeout, e.begun+r.calls.deadline-e.at)
	}
	if a.at > e.at+timeout {
		a = reply{at: e.at + timeout}
	}
	if a.asked > 0 {
		r.result.limited.add(e.at)
	}
	e.ends, e.at, e.ok, e.asked = true, a.at, a.ok, a.asked
	r.events.push(e.at, e)
}

// held reports whether the client's Cooldown holds the attempt back. It is made again when
// its place comes, if the call's deadline allows that.
func (r *runner) held(e *event) bool {
	if r.pauses == nil {
		return false
	}
	if e.place == nil {
		e.place = new(cooldown.Place)
	}
	at, _ := r.pauses[e.client].Until("server", epoch.Add(e.at), e.place, r.random.Float64)
	if at.IsZero() {
		e.place = nil
		return false
	}
	wait := at.Sub(epoch) - e.at
	if !r.late(e, wait) {
		e.at += wait
		r.events.push(e.at, *e)
	}
	return true
}

// late reports whether the call's deadline comes before the end of a wait.
func (r *runner) late(e *event, wait time.Duration) bool {
	return r.calls.deadline > 0 && e.at+wait >= e.begun+r.calls.deadline
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
	if e.asked > 0 && r.pauses != nil {
		r.pauses[e.client].Pause("server", epoch.Add(e.at), e.asked, spread)
	}
	if int(e.attempt) >= r.attempts || r.late(&e, e.asked) || !b.allows(e.at, &e.lease) {
		return
	}
	wait := max(e.asked, r.wait(int(e.attempt)))
	if r.late(&e, wait) {
		return
	}
	e.at += wait
	e.attempt++
	e.ends = false
	r.events.push(e.at, e)
}
