package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// The simulation is a module of its own, and plays what it is given in JSON: see
// simulation/predict.go, which says what the fields mean.
type (
	forecast struct {
		Clients   int
		PerSecond float64
		Depth     float64
		Phases    []forecastPhase
		Horizon   time.Duration
		Timeout   time.Duration
		Deadline  time.Duration
		Travel    time.Duration
		Policy    string
		Cooldown  bool
		Seed      uint64
	}
	forecastPhase struct {
		From    time.Duration
		Rate    float64
		Refuses bool
		Limit   int
	}
	forecastCounts struct {
		Calls, Load, Good, Goodput, Limited []float64
	}
)

const simulation = "../../simulation" // from this directory

// seeds is how many runs of the simulation there are of each forecast, with other dice: a
// single run, as the measured one is, may come to anything that one of them comes to.
const seeds = 20

// predictAll adds the simulation's runs to each of the outcomes that it has a policy for.
func predictAll(ctx context.Context, all []*scenario, outcomes []*outcome) error {
	var asked []forecast
	var of []*outcome
	for _, o := range outcomes {
		if c := contenderNamed(o.Contender); c.policy != "" {
			f := forecastOf(scenarioNamed(all, o.Scenario), c)
			for f.Seed = range uint64(seeds) {
				asked, of = append(asked, f), append(of, o)
			}
			o.Predicted = nil
		}
	}
	in, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "run", ".", "predict")
	command.Dir, command.Stdin = simulation, bytes.NewReader(in)
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("the simulation: %w", err)
	}
	var got []forecastCounts
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("the simulation: %w", err)
	}
	for i, o := range of {
		o.Predicted = append(o.Predicted, counts{
			calls: got[i].Calls, load: got[i].Load, good: got[i].Good, completed: got[i].Goodput, limited: got[i].Limited,
		})
	}
	return nil
}

func forecastOf(s *scenario, c *contender) forecast {
	f := forecast{
		Clients: s.Clients, PerSecond: s.PerSecond, Depth: float64(s.Depth), Horizon: s.Horizon,
		Timeout: attemptTimeout, Deadline: callDeadline, Travel: time.Millisecond,
		Policy: c.policy, Cooldown: c.cooldown,
	}
	for _, p := range s.Phases {
		f.Phases = append(f.Phases, forecastPhase{p.From, p.Share * s.Capacity, p.Refuses, p.Limit})
	}
	if s.Restarts { // it knows no processes: connections are refused until the restart is over
		f.Phases[1].Refuses = true
	}
	return f
}

func scenarioNamed(all []*scenario, name string) *scenario {
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	panic("no scenario " + name)
}
