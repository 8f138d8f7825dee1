package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// forecast is a scenario that another program has: ../proof/storm, which then measures the
// same with a real server. Times are nanoseconds.
type forecast struct {
	Clients   int
	PerSecond float64 // calls of one client
	Depth     float64 // requests in the queue
	Phases    []forecastPhase
	Horizon   time.Duration
	Timeout   time.Duration // of an attempt
	Deadline  time.Duration // of a call
	Travel    time.Duration
	Policy    string // a name in compared or others
	Cooldown  bool
	Seed      uint64
}

type forecastPhase struct {
	From    time.Duration
	Rate    float64 // requests per second
	Refuses bool
	Limit   int // requests per limitWindow
}

// forecastCounts has what is counted in each second.
type forecastCounts struct {
	Calls, Load, Good, Goodput, Limited []float64
}

// predict plays each of the forecasts that in has, an array in JSON, and writes an array
// with the counts of each.
func predict(in io.Reader, out io.Writer) error {
	var asked []forecast
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("forecasts: %w", err)
	}
	all := make([]forecastCounts, len(asked))
	for i, f := range asked {
		r := run(f.scenario(), named(f.Policy), f.Seed)
		all[i] = forecastCounts{
			eachSecond(r.calls), eachSecond(r.load), eachSecond(r.good), eachSecond(r.goodput), eachSecond(r.limited),
		}
	}
	return json.NewEncoder(out).Encode(all)
}

func (f *forecast) scenario() *scenario {
	s := &scenario{
		shape: shape{f.Clients, f.PerSecond}, horizon: f.Horizon, timeout: f.Timeout,
		calls:  callRules{f.Deadline, f.Cooldown},
		server: server{depth: f.Depth, travel: f.Travel},
	}
	for _, p := range f.Phases {
		s.server.phases = append(s.server.phases, phase{from: p.From, rate: p.Rate, refuses: p.Refuses, limit: p.Limit})
	}
	return s
}

func eachSecond(s series) (sums []float64) {
	for t := time.Duration(0); t+time.Second <= time.Duration(len(s))*bin; t += time.Second {
		sums = append(sums, s.sum(t, t+time.Second))
	}
	return sums
}
