package main

import (
	"math/rand/v2"
	"time"

	"github.com/seed-552c89fc/insist/internal/hedge"
	"github.com/seed-552c89fc/insist/internal/latency"
)

// tail is a load on a service of which some or all responses are slow.
type tail struct {
	shape
	name    string
	service func(*rand.Rand) service
	usual   time.Duration // within it 95 of 100 responses of the healthy service begin
	begin   time.Duration // of what is measured
	end     time.Duration // the end of it, and of the run
	timeout time.Duration // of an attempt
}

const (
	warmTime  = 70 * time.Second // the delay is known before anything is measured
	tailTime  = 60 * time.Second
	queue95   = 32 * time.Millisecond // 20 of travel, and an exponential time of 4 on average
	slowTimes = 10                    // as long as ever, where all responses are slow
)

// tails returns what hedging has to prove itself in.
func tails(clients shape) []*tail {
	some := func(r replicas) func(*rand.Rand) service {
		return func(random *rand.Rand) service { return newReplicas(r, random) }
	}
	queue := func(s server) func(*rand.Rand) service {
		s.travel = 20 * time.Millisecond
		return func(random *rand.Rand) service { return queued{newServer(s, random)} }
	}
	well := phase{rate: capacity}
	brownOut := []phase{well, {from: warmTime, rate: 0.3 * capacity}}
	all := []*tail{
		{name: "1 % slow", service: some(replicas{n: 10, slowShare: 0.01})},
		{name: "a slow replica, least in flight", service: some(replicas{n: 10, slow: 1, balanced: true})},
		{name: "a slow replica, at random", service: some(replicas{n: 10, slow: 1})},
		{name: "all slow", end: warmTime + troubleTime, service: some(replicas{n: 10, allSlowFrom: warmTime})},
		{name: "brown-out", end: warmTime + troubleTime, usual: queue95, timeout: time.Second,
			service: queue(server{phases: brownOut, depth: deep})},
		{name: "brown-out, shedding", end: warmTime + troubleTime, usual: queue95, timeout: time.Second,
			service: queue(server{phases: brownOut, depth: 200, shed: 0.05})},
		{name: "80 % busy", begin: time.Second, end: 200 * time.Second, usual: queue95, timeout: time.Second,
			service: queue(server{phases: []phase{well}, depth: deep})},
	}
	for _, s := range all {
		s.fill(clients)
	}
	return all
}

// fill sets what is the same in most of them.
func (s *tail) fill(clients shape) {
	s.shape = clients
	if s.begin == 0 {
		s.begin = warmTime
	}
	if s.end == 0 {
		s.end = warmTime + tailTime
	}
	if s.usual == 0 {
		s.usual = healthy95
	}
	if s.timeout == 0 {
		s.timeout = 10 * time.Second
	}
}

func findTail(name string, clients shape) *tail {
	for _, s := range tails(clients) {
		if s.name == name {
			return s
		}
	}
	panic("no tail " + name)
}

// hedging is how the clients make their calls.
type hedging struct {
	name     string
	attempts int
	retries  bool // also after a failure
	budget   bool // insist.Standard's
	measured bool // the delay follows the service
	fixed    bool // the delay is the tail's usual time
	extra    int  // attempts beside the first
	share    func() sharing
}

// sharing bounds the hedges of a client.
type sharing interface {
	withdraw(now time.Time) bool
	deposit(now time.Time)
	futile(now time.Time)
}

var hedgings = []*hedging{
	{name: "no retries", attempts: 1},
	{name: "hedgedhttp", attempts: 2, fixed: true, extra: 1},
	{name: "Hedge alone", attempts: attempts, measured: true, extra: 1, share: newShare},
	{name: "retries", attempts: attempts, retries: true, budget: true},
	{name: "retries + Hedge", attempts: attempts, retries: true, budget: true, measured: true, extra: 1, share: newShare},
	{name: "no budget", attempts: attempts, retries: true},
	{name: "no budget + Hedge", attempts: attempts, retries: true, measured: true, extra: 1, share: newShare},
}

// triedHedgings are what was examined and rejected, and a setting for a service of which
// one response in ten is slow.
var triedHedgings = []*hedging{
	{name: "paid by the Budget alone", attempts: attempts, retries: true, budget: true, measured: true, extra: 1},
	{name: "no end to futile hedges", attempts: attempts, retries: true, budget: true, measured: true, extra: 1,
		share: func() sharing { return &counter{} }},
	{name: "Extra 3, Share 0.25, fixed Delay", attempts: 4, retries: true, budget: true, fixed: true, extra: 3,
		share: func() sharing { return &ourShare{perCall: 0.25} }},
}

func hedgingNamed(name string) *hedging {
	for _, h := range append(hedgings, triedHedgings...) {
		if h.name == name {
			return h
		}
	}
	panic("no hedging " + name)
}

// ourShare is that of insist.Hedge.
type ourShare struct {
	perCall float64
	saved   hedge.Share
}

func newShare() sharing { return &ourShare{perCall: hedge.DefaultShare} }

func (s *ourShare) withdraw(now time.Time) bool { return s.saved.Withdraw(s.perCall, now) }
func (s *ourShare) deposit(now time.Time)       { s.saved.Deposit(s.perCall, now) }
func (s *ourShare) futile(now time.Time)        { s.saved.Futile(s.perCall, now) }

// counter is a plain one: 0.05 for each call, 4 at first, up to 10 more saved.
type counter struct{ spent float64 }

func (c *counter) withdraw(time.Time) bool {
	if c.spent > 3 {
		return false
	}
	c.spent++
	return true
}

func (c *counter) deposit(time.Time) { c.spent = max(c.spent-0.05, -10) }
func (c *counter) futile(time.Time)  {}

// hedger is a client, and what it has learned.
type hedger struct {
	seen   latency.Tracker
	share  sharing
	budget *ours
}

// newHedger returns a client that has been running for up to a minute, so that not all
// clients forget at the same time.
func newHedger(h *hedging, random *rand.Rand) *hedger {
	c := new(hedger)
	c.seen.Note("", epoch.Add(-time.Duration(random.Int64N(int64(time.Minute)))), medianTime)
	if h.budget {
		c.budget = newOurs(h.attempts)
	}
	if h.share != nil {
		c.share = h.share()
	}
	return c
}

// delay returns how long an attempt waits before a hedge begins, and false if none does.
func (r *race) delay(now time.Duration, client *hedger) (time.Duration, bool) {
	switch {
	case r.fixed:
		return r.usual, true
	case !r.measured:
		return 0, false
	}
	return hedge.Delay(&client.seen, "", epoch.Add(now), hedge.DefaultMinDelay)
}

var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
