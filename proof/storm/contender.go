package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/seed-552c89fc/insist"
)

// contender is a way to make calls. Each client process has one http.Client, as a program
// would have.
type contender struct {
	name     string
	policy   string // of the simulation's forecast; empty means that it has none
	cooldown bool   // in that forecast
	only     string // the scenario that it takes part in; empty means all
	client   func(base *http.Transport) *http.Client
}

// takesPart reports whether the contender is in the scenario.
func (c *contender) takesPart(s *scenario) bool {
	return (c.only == "" || c.only == s.Name) && (s.Contenders == nil || slices.Contains(s.Contenders, c.name))
}

const (
	noRetries = "no retries"
	zero      = "zero policy"
	unbounded = "Standard(), no Budget"
	standard  = "Standard()"
	hedged    = "Standard() + Hedge"
	cooling   = "Standard() + Cooldown"
	retryable = "go-retryablehttp"
)

var contenders = []*contender{
	{name: noRetries, policy: "no retries", client: func(base *http.Transport) *http.Client {
		return &http.Client{Transport: base, Timeout: attemptTimeout}
	}},
	{name: zero, policy: "fixed wait of 2 s", client: func(base *http.Transport) *http.Client {
		return insistClient(base, insist.Policy{})
	}},
	{name: retryable, policy: "go-retryablehttp", client: func(base *http.Transport) *http.Client {
		client := retryablehttp.NewClient() // RetryMax 4, waits of 1 s, 2 s, 4 s, 8 s
		client.Logger = nil
		client.HTTPClient = &http.Client{Transport: base, Timeout: attemptTimeout}
		return client.StandardClient()
	}},
	{name: unbounded, policy: "full jitter", client: func(base *http.Transport) *http.Client {
		policy := insist.Standard()
		policy.Budget = nil
		return insistClient(base, policy)
	}},
	{name: hedged, client: func(base *http.Transport) *http.Client {
		policy := insist.Standard()
		policy.Hedge = new(insist.Hedge)
		return insistClient(base, policy)
	}},
	{name: cooling, policy: "+ insist", cooldown: true, only: "rate limit", client: func(base *http.Transport) *http.Client {
		policy := insist.Standard()
		policy.Cooldown = new(insist.Cooldown)
		return insistClient(base, policy)
	}},
	{name: standard, policy: "+ insist", client: func(base *http.Transport) *http.Client {
		return insistClient(base, insist.Standard())
	}},
}

func insistClient(base *http.Transport, policy insist.Policy) *http.Client {
	policy.PerAttemptTimeout = attemptTimeout
	return &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: policy}}
}

func contenderNamed(name string) *contender {
	for _, c := range contenders {
		if c.name == name {
			return c
		}
	}
	panic("no contender " + name)
}

// pause sleeps until a time after start.
func pause(start time.Time, until time.Duration) { time.Sleep(time.Until(start.Add(until))) }
