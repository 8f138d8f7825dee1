package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/cooldown"
)

// limited is a service that takes so many requests in each minute, and calls of
// clients that are one process: they share a Cooldown if they have one.
type limited struct {
	name     string
	calls    int
	apart    time.Duration // the begin of a call and that of the next one
	perMin   int
	takes    time.Duration // a response
	cooldown bool
}

// limits are the loads of the table. The clients retry until a call succeeds.
var limits = []limited{
	{name: "50 calls at once, 10 per minute", calls: 50, perMin: 10},
	{name: "50 calls in 10 s, 10 per minute", calls: 50, apart: 200 * time.Millisecond, perMin: 10},
	{name: "3000 calls in 30 s, 1000 per minute", calls: 3000, apart: 10 * time.Millisecond, perMin: 1000},
}

// limitedResult is what it came to.
type limitedResult struct {
	requests, refused int
	took              time.Duration // until the last call has ended
}

func (r limitedResult) share() float64 { return float64(r.refused) / float64(r.requests) }

// request is something that happens to a call at a time: it comes to the server, or
// its response to the client.
type request struct {
	at    time.Duration
	call  int
	ends  bool
	asked time.Duration // the response's Retry-After; zero if it is good
}

// spread is that of a zero insist.Cooldown.
const spread = time.Second

// runLimited plays it. A request that is above the limit gets 429, and the seconds to
// the end of the minute as its Retry-After. Without a Cooldown each call waits for
// what it was told itself.
func runLimited(l limited, seed uint64) limitedResult {
	var (
		random = rand.New(rand.NewPCG(seed, 1))
		epoch  = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
		table  cooldown.Table
		places = make([]cooldown.Place, l.calls)
		used   = map[time.Duration]int{} // in each minute
		r      limitedResult
		queue  []request // in order
	)
	push := func(e request) {
		i, _ := slices.BinarySearchFunc(queue, e.at+1, func(q request, at time.Duration) int { return int(q.at - at) })
		queue = slices.Insert(queue, i, e)
	}
	for call := range l.calls {
		push(request{at: time.Duration(call) * l.apart, call: call})
	}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		if !e.ends && l.cooldown {
			at, _ := table.Until("server", epoch.Add(e.at), &places[e.call], random.Float64)
			if !at.IsZero() {
				e.at = at.Sub(epoch)
				push(e)
				continue
			}
			places[e.call] = cooldown.Place{}
		}
		switch {
		case !e.ends:
			r.requests++
			e.asked = askedBy(used, e.at+l.takes/2, l.perMin)
			e.at, e.ends = e.at+l.takes, true
			push(e)
		case e.asked > 0:
			r.refused++
			if l.cooldown {
				table.Pause("server", epoch.Add(e.at), e.asked, spread)
			}
			push(request{at: e.at + e.asked, call: e.call})
		default:
			r.took = e.at
		}
	}
	return r
}

// askedBy is the server: the Retry-After of its response, in whole seconds.
func askedBy(used map[time.Duration]int, now time.Duration, perMin int) time.Duration {
	minute := now.Truncate(time.Minute)
	if used[minute] >= perMin {
		return (minute + time.Minute - now + time.Second - 1).Truncate(time.Second)
	}
	used[minute]++
	return 0
}

// limitTable compares them without and with a Cooldown.
func limitTable() string {
	var b strings.Builder
	b.WriteString("| | turned away | with a Cooldown | all are done after | with a Cooldown |\n|---|---:|---:|---:|---:|")
	for _, l := range limits {
		alone, together := compareLimited(l, 1)
		fmt.Fprintf(&b, "\n| %s | %.0f %% | %.0f %% | %.0f s | %.0f s |", l.name,
			100*alone.share(), 100*together.share(), alone.took.Seconds(), together.took.Seconds())
	}
	return b.String()
}

func compareLimited(l limited, seed uint64) (alone, together limitedResult) {
	l.takes = 100 * time.Millisecond
	alone = runLimited(l, seed)
	l.cooldown = true
	return alone, runLimited(l, seed)
}
