package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/hedge"
)

// The tables of hedging are as they are stored, within what processors round otherwise.
func TestTailsAreAsStored(t *testing.T) {
	stored, err := os.ReadFile("hedging.csv")
	require.NoError(t, err)
	want, err := readTails(bytes.NewReader(stored))
	require.NoError(t, err)
	got := measureTails()
	require.Len(t, got, len(want))
	for i, w := range want {
		name := w.clients + ", " + w.tail + ", " + w.hedging
		require.Equal(t, name, got[i].clients+", "+got[i].tail+", "+got[i].hedging)
		assert.InEpsilon(t, w.load, got[i].load, 0.02, name)
		assert.InDelta(t, w.good, got[i].good, 0.01, name)
		if w.good > 0.999 {
			assert.InEpsilon(t, w.p50, got[i].p50, 0.02, name)
			assert.InEpsilon(t, w.p999, got[i].p999, 0.2, name)
		}
	}

	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), wantedTails(want), "go run . writes it")
	assert.Contains(t, string(page), tailTable(want, hedgings), "go run . writes it")
	assert.Contains(t, string(page), tailTable(want, triedHedgings), "go run . writes it")
	page, err = os.ReadFile("../docs/hedging.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), guideTable(want), "go run . writes it")
}

// What is wanted of a zero Hedge, whatever the dice say.
func TestWantedOfHedging(t *testing.T) {
	for _, clients := range shapes {
		for _, s := range tails(clients) {
			t.Run(clients.String()+", "+s.name, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(3) {
					ours := tailSummary(runTail(s, hedgingNamed("retries + Hedge"), seed))
					without := tailSummary(runTail(s, hedgingNamed("retries"), seed))
					assert.LessOrEqual(t, ours.load, 1.05*without.load)
					alone := 1.05
					if s.name == "brown-out, shedding" && clients == shapes[0] { // see the page
						alone = 1.08
					}
					assert.LessOrEqual(t, tailSummary(runTail(s, hedgingNamed("Hedge alone"), seed)).load, alone)
					switch s.name {
					case "1 % slow", "a slow replica, least in flight":
						assert.LessOrEqual(t, ours.p999, without.p999/10)
						assert.Less(t, ours.load, 1.05)
					case "a slow replica, at random": // it costs little, and helps little
						assert.Less(t, ours.p999, without.p999)
					case "80 % busy":
						assert.GreaterOrEqual(t, ours.good, without.good-0.001)
					}
				}
			})
		}
	}
}

// What is needed where one response in ten is slow.
func TestASlowReplicaAtRandom(t *testing.T) {
	s := findTail("a slow replica, at random", shapes[1])
	set := tailSummary(runTail(s, hedgingNamed("Extra 3, Share 0.25, fixed Delay"), 1))
	assert.Less(t, set.p999, tailSummary(runTail(s, hedgingNamed("no retries"), 1)).p999/10)
	assert.Greater(t, set.load, 1.1, "each slow response costs a request")
	assert.Less(t, set.load, 1.2)
}

// The usual times that hedgedhttp is given are right.
func TestUsualTimes(t *testing.T) {
	for _, name := range []string{"1 % slow", "80 % busy"} {
		s := *findTail(name, shapes[1])
		if name == "1 % slow" {
			s.service = func(random *rand.Rand) service { return newReplicas(replicas{n: 10}, random) }
		}
		r := runTail(&s, hedgingNamed("no retries"), 1)
		assert.InEpsilon(t, s.usual.Seconds(), r.within(0.95).Seconds(), 0.03, name)
	}
	s := findTail("1 % slow", shapes[1])
	r := runTail(s, hedgingNamed("no retries"), 1)
	assert.InEpsilon(t, medianTime.Seconds(), r.within(0.5).Seconds(), 0.01)
	slow := 0
	for _, took := range r.took {
		if took >= slowFactor*leastTime {
			slow++
		}
	}
	assert.InDelta(t, 0.01, float64(slow)/float64(len(r.took)), 0.001)
}

func TestTailRunsRepeat(t *testing.T) {
	s, h := findTail("brown-out, shedding", shapes[1]), hedgingNamed("retries + Hedge")
	a, b := runTail(s, h, 7), runTail(s, h, 7)
	assert.Equal(t, a.took, b.took)
	assert.NotEqual(t, a.took, runTail(s, h, 8).took)
}

// The library's own RetryTransport comes to the same.
func TestHedgeEngineDoesTheSame(t *testing.T) {
	for _, name := range []string{"1 % slow", "a slow replica, least in flight", "all slow", "brown-out, shedding"} {
		t.Run(name, func(t *testing.T) {
			s := findTail(name, shape{4, 50})
			if name == "brown-out, shedding" { // as many calls as capacity is for, over five
				s.service = func(random *rand.Rand) service {
					return queued{newServer(server{
						phases: []phase{{rate: capacity / 5}, {from: warmTime, rate: 0.3 * capacity / 5}},
						depth:  40, shed: 0.05, travel: 20 * time.Millisecond,
					}, random)}
				}
			}
			r := runTail(s, hedgingNamed("retries + Hedge"), 1)
			want := tailSummary(r)
			var got tailRow
			synctest.Test(t, func(t *testing.T) { got = playTail(s) })
			assert.InDelta(t, want.load, got.load, 0.02, "load")
			assert.InDelta(t, want.good, got.good, 0.03, "success")
			assert.InEpsilon(t, want.p50, got.p50, 0.05)
			assert.InEpsilon(t, want.p99, got.p99, 0.2)
			assert.Less(t, math.Abs(math.Log(got.p999/want.p999)), math.Log(1.6), "%v for %v", got.p999, want.p999)
		})
	}
}

// playTail plays a tail with RetryTransports. It runs in a synctest bubble.
func playTail(s *tail) tailRow {
	start := time.Now()
	random := rand.New(rand.NewPCG(1, 3))
	n := &slowNetwork{tail: s, start: start, service: s.service(random)}
	clients := make([]http.RoundTripper, s.clients)
	for i := range clients {
		policy := insist.Standard()
		policy.PerAttemptTimeout, policy.Hedge = s.timeout, new(insist.Hedge)
		clients[i] = &insist.RetryTransport{Base: n, Policy: policy}
	}
	arrivals := rand.New(rand.NewPCG(1, 1))
	gap := float64(time.Second) / (float64(s.clients) * s.perSecond)
	r := &race{tail: s, hedging: hedgingNamed("retries + Hedge")}
	var calls sync.WaitGroup
	for {
		time.Sleep(time.Duration(arrivals.ExpFloat64() * gap))
		begun := time.Since(start)
		if begun >= s.end {
			break
		}
		client := clients[arrivals.IntN(len(clients))]
		calls.Go(func() {
			req, _ := http.NewRequest("GET", "http://server.test/", nil)
			resp, err := client.RoundTrip(req)
			n.mu.Lock()
			defer n.mu.Unlock()
			if !r.isMeasured(begun) {
				return
			}
			r.calls++
			r.took = append(r.took, time.Since(start)-begun)
			if err == nil && resp.StatusCode == http.StatusOK {
				r.good++
			}
		})
	}
	calls.Wait()
	r.load = n.load
	slices.Sort(r.took)
	return tailSummary(r)
}

// slowNetwork is the way to a simulated service.
type slowNetwork struct {
	*tail
	start   time.Time
	mu      sync.Mutex // of what follows
	service service
	load    int
}

func (n *slowNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	now := time.Since(n.start)
	n.mu.Lock()
	if now >= n.begin && now < n.end {
		n.load++
	}
	at, ok, replica := n.service.send(now)
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.service.leave(replica)
		n.mu.Unlock()
	}()
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case <-time.After(at - now):
	}
	resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: req}
	if ok {
		resp.StatusCode = http.StatusOK
	}
	return resp, nil
}

// The policy of the tables is insist.Standard with a zero Hedge.
func TestHedgeIsZero(t *testing.T) {
	h := hedgingNamed("retries + Hedge")
	assert.Equal(t, 1, h.extra)
	assert.Equal(t, hedge.DefaultShare, h.share().(*ourShare).perCall)
}
