package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
)

// race plays a tail with one way to make calls. Its methods do what the library does. (A
// test with the library itself checks that both do the same.)
type race struct {
	*tail
	*hedging
	service service
	wait    func(failed int) time.Duration
	clients []*hedger
	events  queue[raceEvent]
	took    []time.Duration // by the calls that are measured
	calls   int             // measured
	good    int
	load    int // requests in the time that is measured
}

// hedged is a call.
type hedged struct {
	begun    time.Duration
	client   *hedger
	made     int // attempts
	round    int // of attempts side by side; counts up as it begins and as it ends
	delay    time.Duration
	lost     bool // the last attempt got no response
	inFlight []flight
	lease    bucket.Lease
}

type flight struct {
	n       int // of the attempt
	begun   time.Duration
	replica int
}

type raceEvent struct {
	call *hedged
	kind raceKind
	n    int // of the attempt that ended, or of the round
	ok   bool
}

type raceKind uint8

const (
	ended raceKind = iota
	timedOut
	delayPassed
	waited
)

// runTail plays a tail. The same seed gives the same result.
func runTail(s *tail, h *hedging, seed uint64) *race {
	arrivals := rand.New(rand.NewPCG(seed, 1))
	r := &race{
		tail: s, hedging: h,
		wait:    fullJitter(rand.New(rand.NewPCG(seed, 2))),
		service: s.service(rand.New(rand.NewPCG(seed, 3))),
		clients: make([]*hedger, s.clients),
	}
	for i := range r.clients {
		r.clients[i] = newHedger(h, rand.New(rand.NewPCG(seed, uint64(4+i))))
	}
	gap := float64(time.Second) / (float64(s.clients) * s.perSecond)
	next := time.Duration(arrivals.ExpFloat64() * gap)
	for next < s.end || r.events.len() > 0 {
		if next < s.end && (r.events.len() == 0 || next <= r.events.first()) {
			c := &hedged{begun: next, client: r.clients[arrivals.IntN(s.clients)]}
			if r.isMeasured(next) {
				r.calls++
			}
			r.round(next, c)
			next += time.Duration(arrivals.ExpFloat64() * gap)
			continue
		}
		now, e := r.events.pop()
		r.happens(now, e)
	}
	slices.Sort(r.took)
	return r
}

func (r *race) isMeasured(at time.Duration) bool { return at >= r.begin && at < r.end }

func (r *race) happens(now time.Duration, e raceEvent) {
	switch e.kind {
	case waited:
		r.round(now, e.call)
	case delayPassed:
		if e.n == e.call.round {
			r.hedge(now, e.call)
		}
	default:
		r.ends(now, e)
	}
}

// round begins an attempt beside which there may be hedges.
func (r *race) round(now time.Duration, c *hedged) {
	c.round++
	delay, ok := r.delay(now, c.client)
	r.attempt(now, c)
	if ok && c.made < r.attempts && !c.lost {
		c.delay = delay
		r.events.push(now+delay, raceEvent{call: c, kind: delayPassed, n: c.round})
	}
}

// attempt begins an attempt.
func (r *race) attempt(now time.Duration, c *hedged) {
	c.made++
	if r.isMeasured(now) {
		r.load++
	}
	at, ok, replica := r.service.send(now)
	e := raceEvent{call: c, kind: ended, n: c.made, ok: ok}
	if at > now+r.timeout {
		at, e.ok, e.kind = now+r.timeout, false, timedOut
	}
	c.inFlight = append(c.inFlight, flight{c.made, now, replica})
	r.events.push(at, e)
}

// hedge begins another attempt beside those that are in flight, if it is paid for.
func (r *race) hedge(now time.Duration, c *hedged) {
	if len(c.inFlight) > r.extra || c.made >= r.attempts {
		if s := c.client.share; s != nil && len(c.inFlight) > 1 {
			s.futile(epoch.Add(now))
		}
		return
	}
	if r.pays(now, c) {
		r.attempt(now, c)
		r.events.push(now+c.delay, raceEvent{call: c, kind: delayPassed, n: c.round})
	}
}

// pays takes the cost of a hedge.
func (r *race) pays(now time.Duration, c *hedged) bool {
	if s := c.client.share; s != nil && !s.withdraw(epoch.Add(now)) {
		return false
	}
	return c.client.budget == nil || c.client.budget.allows(now, &c.lease)
}

// ends ends an attempt, and with it the round unless it failed beside another one.
func (r *race) ends(now time.Duration, e raceEvent) {
	c := e.call
	i := slices.IndexFunc(c.inFlight, func(f flight) bool { return f.n == e.n })
	if i < 0 {
		return // it was overtaken
	}
	f := c.inFlight[i]
	c.inFlight = slices.Delete(c.inFlight, i, i+1)
	r.service.leave(f.replica)
	c.lost = e.kind == timedOut
	if !c.lost {
		r.note(now, c, f)
	}
	if !e.ok && len(c.inFlight) > 0 && (c.lost || r.retries) {
		return // to who does not retry, any response is one
	}
	for _, other := range c.inFlight {
		r.note(now, c, other)
		r.service.leave(other.replica)
	}
	c.inFlight = nil
	c.round++
	r.over(now, c, e.ok)
}

func (r *race) note(now time.Duration, c *hedged, f flight) {
	if r.measured {
		c.client.seen.Note("", epoch.Add(now), now-f.begun)
	}
}

// over ends the call, or retries it.
func (r *race) over(now time.Duration, c *hedged, ok bool) {
	client := c.client
	if ok {
		if client.budget != nil {
			client.budget.succeeded(now, c.made)
		}
		if client.share != nil {
			client.share.deposit(epoch.Add(now))
		}
	} else if r.retries && c.made < r.attempts && (client.budget == nil || client.budget.allows(now, &c.lease)) {
		r.events.push(now+r.wait(c.made), raceEvent{call: c, kind: waited})
		return
	}
	if !r.isMeasured(c.begun) {
		return
	}
	r.took = append(r.took, now-c.begun)
	if ok {
		r.good++
	}
}

// within returns the time within which a share of the calls ended.
func (r *race) within(share float64) time.Duration {
	return r.took[min(int(share*float64(len(r.took))), len(r.took)-1)]
}
