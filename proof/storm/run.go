package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// outcome is what became of one contender in one scenario.
type outcome struct {
	Scenario  string
	Contender string
	Measured  counts
	Predicted []counts `json:"-"` // of each seed; none if the simulation has no such clients
}

// measure plays a scenario with real processes.
func measure(ctx context.Context, s *scenario, c *contender, seed uint64) (counts, error) {
	ctx, cancel := context.WithTimeout(ctx, longest(s.Horizon)+30*time.Second)
	defer cancel() // kills all children
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := newTally()
	config := serverConfig{Scenario: *s, Seed: seed}
	server, err := startServer(ctx, &config)
	if err != nil {
		return nil, err
	}
	second := server
	if s.Restarts { // a process that waits for its time
		config.ListenAt = s.End
		if second, err = startChild(ctx, serverRole, config); err != nil {
			return nil, err
		}
	}
	clients := make([]*child, s.Clients)
	for i := range clients {
		clients[i], err = startChild(ctx, clientRole, clientConfig{
			Contender: c.name, URL: "http://" + config.Addr + "/", PerSecond: s.PerSecond,
			Horizon: s.Horizon, Seed: seed + uint64(i),
		})
		if err != nil {
			return nil, err
		}
	}
	start := time.Now().Add(200 * time.Millisecond)
	children := append(slices.Clone(clients), server)
	if s.Restarts {
		children = append(children, second)
	}
	for _, child := range children {
		if err := child.start(start, all); err != nil {
			return nil, err
		}
	}
	if s.Restarts {
		pause(start, s.Begin)
		server.kill()
		server = second
	}
	for _, child := range clients {
		err = errors.Join(err, child.wait())
	}
	if err = errors.Join(err, server.stop()); ctx.Err() != nil {
		return nil, ctx.Err() // which has killed them
	} else if err != nil {
		return nil, err
	}
	return all.counts.withLoad(), nil
}

// ports are below those that the system gives to outgoing connections: a client that dials
// a port of these, while nobody listens there, may come to be connected to itself.
const (
	firstPort = 20000
	lastPort  = 30000
)

// startServer starts a server on a free port, which it puts into config.
func startServer(ctx context.Context, config *serverConfig) (*child, error) {
	for tries := 0; ; tries++ {
		config.Addr = fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		if l, err := net.Listen("tcp", config.Addr); err == nil {
			l.Close()
		} else if tries < 100 {
			continue
		}
		return startChild(ctx, serverRole, config)
	}
}

// storm plays all scenarios with all contenders, some at a time: each has processes of its
// own, and a server.
func storm(ctx context.Context, all []*scenario, parallel int, seed uint64, progress func(string)) ([]*outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		outcomes []*outcome
		wg       sync.WaitGroup
		slots    = make(chan struct{}, parallel)
		mu       sync.Mutex // of failed, and for progress
		failed   error      // the first one; what it ends fails as well
	)
	play := func(o *outcome, s *scenario, c *contender) {
		defer func() { <-slots }()
		measured, err := measure(ctx, s, c, seed)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			if failed == nil {
				failed = fmt.Errorf("%s, %s: %w", s.Name, c.name, err)
			}
			cancel()
			return
		}
		o.Measured = measured
		progress(s.Name + ", " + c.name)
	}
	for _, s := range all {
		for _, c := range contenders {
			if !c.takesPart(s) {
				continue
			}
			slots <- struct{}{}
			o := &outcome{Scenario: s.Name, Contender: c.name}
			outcomes = append(outcomes, o)
			wg.Go(func() { play(o, s, c) })
		}
	}
	wg.Wait()
	return outcomes, failed
}
