package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// The table is as it is stored. The tolerances are for processors that round
// otherwise: a run is the same each time on one machine.
func TestTableIsAsStored(t *testing.T) {
	stored, err := os.ReadFile("table.csv")
	require.NoError(t, err)
	want, err := readCSV(bytes.NewReader(stored))
	require.NoError(t, err)
	got := measure(append(compared, tried...))
	require.Len(t, got, len(want))
	for i, w := range want {
		name := w.clients + ", " + w.policy + ", " + w.scenario
		require.Equal(t, name, got[i].clients+", "+got[i].policy+", "+got[i].scenario)
		assert.InDelta(t, w.load, got[i].load, 0.02, name)
		assert.InDelta(t, w.success, got[i].success, 0.005, name)
		if math.IsInf(w.recovery, 1) || math.IsInf(got[i].recovery, 1) {
			assert.Equal(t, w.recovery, got[i].recovery, name)
		} else {
			assert.InDelta(t, w.recovery, got[i].recovery, 3, name)
		}
	}

	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), wanted(want), "go run . writes it")
	assert.Contains(t, string(page), markdown(want, compared), "go run . writes it")
	assert.Contains(t, string(page), markdown(want, tried), "go run . writes it")
	assert.Contains(t, string(page), moreAttempts(), "go run . writes it")
}

// What is wanted of the default, of many clients with few calls as of few with
// many, whatever the dice say.
func TestWanted(t *testing.T) {
	ours, none, unbounded := named("+ insist"), named("no retries"), named("full jitter")
	for _, clients := range shapes {
		for _, s := range scenarios(clients) {
			for seed := range uint64(3) {
				name := clients.String() + ", " + s.name
				r := run(s, ours, seed)
				switch s.name {
				case "3 % errors", "15 % errors":
					assert.GreaterOrEqual(t, r.success(), 0.99, name)
				case "33 % errors": // it gives way, but not all the way
					assert.GreaterOrEqual(t, r.success(), run(s, none, seed).success()+0.15, name)
				case "blip", "blip, waits of 2 s":
					assert.GreaterOrEqual(t, r.success(), run(s, unbounded, seed).success()-0.006, name)
				case "outage, endless queue": // it remembers each request
					without := run(s, none, seed).recovery()
					assert.Less(t, r.amplification(), 1.2, name)
					assert.LessOrEqual(t, r.recovery(), without+without/5, name)
					assert.GreaterOrEqual(t, r.recovery(), time.Duration(0), name)
				default:
					assert.Less(t, r.amplification(), 1.2, name)
					assert.LessOrEqual(t, r.recovery(), run(s, none, seed).recovery()+time.Second, name)
					assert.GreaterOrEqual(t, r.recovery(), time.Duration(0), name)
				}
			}
		}
	}
}

func TestRunsRepeat(t *testing.T) {
	s := find("brown-out, shedding", shapes[1])
	a, b := run(s, named("+ insist"), 7), run(s, named("+ insist"), 7)
	assert.Equal(t, a, b)
	assert.NotEqual(t, a, run(s, named("+ insist"), 8))
}

// The waits are those of the library's Standard, but for the dice.
func TestWaitsAreStandard(t *testing.T) {
	waits, standard := fullJitter(rand.New(rand.NewPCG(1, 1))), insist.Standard().Backoff
	for failed := 1; failed <= 9; failed++ {
		var here, there []time.Duration
		for range 10000 {
			here, there = append(here, waits(failed)), append(there, standard(failed))
		}
		assert.InEpsilon(t, slices.Max(here), slices.Max(there), 0.02, failed)
	}
	assert.Zero(t, insist.Standard().MaxAttempts, "zero means %d", attempts)
}

func TestServer(t *testing.T) {
	phases := []phase{{rate: 10}, {from: time.Second, rate: 0}, {from: 3 * time.Second, rate: 5}}
	s := newServer(server{phases: phases, depth: 4, shed: 0.5}, rand.New(rand.NewPCG(1, 1)))
	for _, c := range []struct {
		booked float64
		at     time.Duration
	}{{0, 0}, {5, time.Second / 2}, {10, time.Second}, {15, 4 * time.Second}, {25, 6 * time.Second}} {
		s.booked = c.booked
		assert.Equal(t, c.at, s.finished(0), "%v requests", c.booked)
	}

	s.booked = 4 // of which 1 has been done after 0.1 s
	assert.Equal(t, reply{at: 0}, s.accept(0), "shed")
	assert.Equal(t, 4.5, s.booked, "shedding is work, too")
	assert.True(t, s.accept(time.Second/10).ok)
	assert.Greater(t, s.booked, 4.5)
}

func TestQueueIsInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var q queue[int]
	for i := range 1000 {
		q.push(time.Duration(random.IntN(500)), i)
		if random.IntN(3) == 0 {
			first, _ := q.pop()
			assert.True(t, q.len() == 0 || first <= q.first())
		}
	}
	for last := time.Duration(0); q.len() > 0; {
		at, _ := q.pop()
		assert.GreaterOrEqual(t, at, last)
		last = at
	}
}
