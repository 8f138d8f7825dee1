package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// serverConfig is what the server process is told.
type serverConfig struct {
	Addr     string
	ListenAt time.Duration // of the run; zero means before it begins
	Scenario scenario
	Seed     uint64
}

// server has one queue, and workers that process its requests in the order of arrival. As
// most servers do, it processes a request also if the client has given up since: no
// worker knows. The work is sleep.
type server struct {
	serverConfig
	*tally
	queue chan *job

	mu     sync.Mutex // of the rate limit
	window time.Duration
	taken  int
}

// job is a request in the queue.
type job struct {
	client context.Context // ends when the client gives up
	done   chan struct{}   // closed when it is processed
}

func newServer(config serverConfig) *server {
	return &server{serverConfig: config, tally: newTally(), queue: make(chan *job, config.Scenario.Depth)}
}

// listen opens the server's listener.
func (s *server) listen() (net.Listener, error) { return net.Listen("tcp", s.Addr) }

// run serves until ctx ends. If listener is nil, it opens its own at ListenAt. The listener
// is closed while a phase refuses connections.
func (s *server) run(ctx context.Context, listener net.Listener, start time.Time) (err error) {
	s.start = start
	if listener == nil {
		pause(start, s.ListenAt)
		if listener, err = s.listen(); err != nil {
			return err
		}
	}
	for i := range s.Scenario.Workers {
		go s.work(rand.New(rand.NewPCG(s.Seed, uint64(i))))
	}
	failed := make(chan error, 1)
	serve := func(l net.Listener) *http.Server {
		h := &http.Server{Handler: s}
		go func() {
			if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
		return h
	}
	h := serve(listener)
	defer func() { h.Close() }()
	for i, p := range s.Scenario.Phases[1:] {
		before := s.Scenario.Phases[i]
		if p.Refuses == before.Refuses || time.Since(start) > p.From {
			continue
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(start.Add(p.From))):
		}
		if p.Refuses {
			h.Close()
			continue
		}
		l, err := s.listen()
		if err != nil {
			return err
		}
		h = serve(l)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.add(arrived)
	if wait := s.overLimit(time.Since(s.start)); wait > 0 {
		s.add(limited)
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	j := &job{client: r.Context(), done: make(chan struct{})}
	select {
	case s.queue <- j:
	default:
		s.add(shed)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case <-j.done:
		w.Write([]byte("done\n"))
	case <-r.Context().Done():
		s.add(canceled)
	}
}

// overLimit returns the Retry-After of a request, in whole seconds: zero if the rate limit
// lets it pass.
func (s *server) overLimit(now time.Duration) time.Duration {
	limit := at(s.Scenario.Phases, now).Limit
	if limit == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if window := now.Truncate(limitWindow); window != s.window {
		s.window, s.taken = window, 0
	}
	if s.taken >= limit {
		return (s.window + limitWindow - now + time.Second - 1).Truncate(time.Second)
	}
	s.taken++
	return 0
}

// work is one worker. It sleeps until times that follow from the work alone, so that what a
// sleep takes too long is not lost to the capacity.
func (s *server) work(random *rand.Rand) {
	mean := float64(s.Scenario.Workers) / s.Scenario.Capacity * float64(time.Second)
	var end time.Duration // of the last request
	for {
		var j *job
		select {
		case j = <-s.queue:
		default: // it is idle
			j = <-s.queue
			end = time.Since(s.start)
		}
		s.add(started)
		end = finished(s.Scenario.Phases, end, time.Duration(random.ExpFloat64()*mean))
		pause(s.start, end)
		s.addIfLate(overslept, end)
		if j.client.Err() == nil {
			s.add(completed)
		} else {
			s.add(wasted)
		}
		close(j.done)
	}
}
