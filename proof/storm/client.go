package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/seed-552c89fc/insist"
)

// clientConfig is what a client process is told.
type clientConfig struct {
	Contender string
	URL       string
	PerSecond float64
	Horizon   time.Duration
	Seed      uint64
}

// client makes calls at random times, at a rate that does not depend on how they end.
type client struct {
	clientConfig
	*tally
	http *http.Client
}

func newClient(config clientConfig) *client {
	c := &client{clientConfig: config, tally: newTally()}
	base := insist.DefaultBase() // for each contender the same
	dial := (&net.Dialer{Timeout: attemptTimeout}).DialContext
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			c.add(refused)
		}
		return conn, err
	}
	c.http = contenderNamed(config.Contender).client(base)
	return c
}

// run makes the calls, and returns when all have ended.
func (c *client) run(start time.Time) {
	c.start = start
	random := rand.New(rand.NewPCG(c.Seed, 0))
	gap := func() time.Duration {
		return time.Duration(random.ExpFloat64() / c.PerSecond * float64(time.Second))
	}
	var inFlight sync.WaitGroup
	for next := gap(); next < c.Horizon; next += gap() {
		pause(start, next)
		c.addIfLate(late, next)
		inFlight.Go(func() { c.call(next) })
	}
	inFlight.Wait()
}

// call makes the call that is to begin at a time.
func (c *client) call(begun time.Duration) {
	c.addAt(calls, begun)
	ctx, cancel := context.WithTimeout(context.Background(), callDeadline)
	defer cancel()
	if c.get(ctx) {
		c.addAt(good, begun)
		c.add(goodEnd)
	}
}

// get reports whether the response is good and complete.
func (c *client) get(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return false
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
