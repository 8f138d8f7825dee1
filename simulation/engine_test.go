package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist"
)

// The simulation's clients do what the library's own RetryTransport does: the
// same scenario, played by it in virtual time, comes to the same.
func TestEngineDoesTheSame(t *testing.T) {
	for _, c := range []struct {
		policy string
		rules  func() insist.Policy // of each client
	}{
		{"no retries", func() insist.Policy { return insist.Policy{MaxAttempts: 1} }},
		{"fixed wait of 2 s", func() insist.Policy { return insist.Policy{} }},
		{"full jitter", func() insist.Policy {
			p := insist.Standard()
			p.Budget = nil
			return p
		}},
		{"+ insist", insist.Standard},
	} {
		t.Run(c.policy, func(t *testing.T) {
			s := &scenario{
				shape: shape{20, 5}, begin: 10 * time.Second, end: 30 * time.Second,
				horizon: 60 * time.Second, timeout: time.Second,
				server: server{
					phases: []phase{{rate: 125}, {from: 10 * time.Second, rate: 35}, {from: 30 * time.Second, rate: 125}},
					depth:  200, shed: 0.05, errors: 0.1, travel: 20 * time.Millisecond,
				},
			}
			want := run(s, named(c.policy), 1)
			var got *result
			synctest.Test(t, func(t *testing.T) { got = play(s, c.rules) })
			for _, at := range []struct {
				name     string
				from, to time.Duration
			}{{"before", 0, s.begin}, {"in trouble", s.begin, s.end}, {"after", s.end, s.horizon}} {
				calls := want.calls.sum(at.from, at.to)
				assert.InEpsilon(t, want.load.sum(at.from, at.to)/calls,
					got.load.sum(at.from, at.to)/got.calls.sum(at.from, at.to), 0.05, "load %s", at.name)
				assert.InDelta(t, want.good.sum(at.from, at.to)/calls,
					got.good.sum(at.from, at.to)/got.calls.sum(at.from, at.to), 0.05, "success %s", at.name)
			}
		})
	}
}

// play plays a scenario with RetryTransports. It runs in a synctest bubble.
func play(s *scenario, rules func() insist.Policy) *result {
	net := &network{
		scenario: s, start: time.Now(), result: newResult(s),
		server: newServer(s.server, rand.New(rand.NewPCG(1, 3))),
	}
	clients := make([]http.RoundTripper, s.clients)
	for i := range clients {
		clients[i] = &insist.RetryTransport{Base: net, Policy: rules()}
	}
	arrivals := rand.New(rand.NewPCG(1, 1))
	gap := float64(time.Second) / (float64(s.clients) * s.perSecond)
	var calls sync.WaitGroup
	for {
		time.Sleep(time.Duration(arrivals.ExpFloat64() * gap))
		begun := time.Since(net.start)
		if begun >= s.horizon {
			break
		}
		client := clients[arrivals.IntN(len(clients))]
		net.count(net.result.calls, begun)
		calls.Go(func() {
			req, _ := http.NewRequest("GET", "http://server.test/", nil)
			resp, err := client.RoundTrip(req)
			if err == nil && resp.StatusCode == http.StatusOK {
				net.count(net.result.good, begun)
			}
		})
	}
	calls.Wait()
	return net.result
}

// network is the way to the simulation's server.
type network struct {
	*scenario
	start  time.Time
	mu     sync.Mutex // of what follows
	server *server
	result *result
}

func (n *network) count(s series, at time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.add(at)
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	now := time.Since(n.start)
	n.count(n.result.load, now)
	n.mu.Lock()
	a := n.server.accept(now)
	n.mu.Unlock()
	if a.at > now+n.timeout {
		time.Sleep(n.timeout)
		return nil, errors.New("timeout")
	}
	time.Sleep(a.at - now)
	resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: req}
	if a.ok {
		resp.StatusCode = http.StatusOK
	}
	return resp, nil
}
