package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// call is one call, and what its server does.
type call struct {
	method, path string
	about        string
	key          string               // Idempotency-Key
	edit         func(*insist.Policy) // of the policy that all share
	steps        []insisttest.Step
	record       *insist.Record // once it was made
}

const ms = time.Millisecond

func script() []*call {
	ok := insisttest.JSON(200, `{"ret_code": 0}`)
	busy := insisttest.JSON(200, `{"ret_code": 5000}`)
	return []*call{{
		method: "GET", path: "/report", about: "the server asks for a second by Retry-After",
		steps: []insisttest.Step{
			insisttest.After(150*ms, insisttest.Status(503, "Retry-After", "1")), insisttest.After(250*ms, ok),
		},
	}, {
		method: "POST", path: "/orders", about: "the connection is reset, and the Idempotency-Key makes another attempt safe", key: "order-1",
		steps: []insisttest.Step{
			insisttest.After(300*ms, insisttest.Reset()), insisttest.After(200*ms, insisttest.Reset()), insisttest.After(250*ms, ok),
		},
	}, {
		method: "POST", path: "/payments", about: "the same without a key: it may have been done, so it is not sent again",
		steps: []insisttest.Step{insisttest.After(300*ms, insisttest.Reset())},
	}, {
		method: "GET", path: "/jobs/7", about: "status 200, and the error is in the JSON",
		edit: func(p *insist.Policy) { p.RetryableBody = insist.JSONFieldNot("/ret_code", 0) },
		steps: []insisttest.Step{
			insisttest.After(150*ms, busy), insisttest.After(150*ms, busy), insisttest.After(200*ms, ok),
		},
	}, {
		method: "GET", path: "/prices", about: "the response is truncated, and with MaxWholeBytes the request is retried",
		edit: func(p *insist.Policy) { p.MaxWholeBytes = 1 << 10 },
		steps: []insisttest.Step{
			insisttest.After(200*ms, insisttest.CutAfter(5, ok)), insisttest.After(200*ms, ok),
		},
	}, {
		method: "GET", path: "/search", about: "an attempt that hangs is given up after 400 ms",
		edit: func(p *insist.Policy) { p.PerAttemptTimeout = 400 * ms },
		steps: []insisttest.Step{
			insisttest.After(time.Minute, ok), insisttest.After(150*ms, ok),
		},
	}, {
		method: "GET", path: "/quote", about: "with a Hedge another attempt begins beside a slow one, after 250 ms",
		edit: func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: 250 * ms} },
		steps: []insisttest.Step{
			insisttest.After(time.Minute, ok), insisttest.After(150*ms, ok),
		},
	}, {
		method: "GET", path: "/stock", about: "still failing after three attempts: the last response is the caller's",
		steps: []insisttest.Step{
			insisttest.After(200*ms, insisttest.Status(502)), insisttest.After(150*ms, insisttest.Status(502)), insisttest.After(250*ms, insisttest.Status(500)),
		},
	}}
}

// play makes the calls concurrently over a network in memory.
func play(ctx context.Context) []*call {
	calls, network, mux := script(), insisttest.NewListener(), http.NewServeMux()
	for _, c := range calls {
		mux.Handle(c.path, insisttest.NewScript(c.steps...))
	}
	server := &http.Server{Handler: mux}
	var serving, calling sync.WaitGroup
	serving.Go(func() { server.Serve(network) })

	policy := insist.Standard()
	policy.Backoff = func(failed int) time.Duration { return 250 * ms << (failed - 1) } // no jitter, to be drawn
	policy.Budget = nil                                                                 // which most of these calls would use up
	client := &http.Client{Transport: &insist.RetryTransport{Base: network.Transport(), Policy: policy}}
	for _, c := range calls {
		calling.Go(func() { c.send(ctx, client) })
	}
	calling.Wait()
	server.Close()
	serving.Wait()
	return calls
}

func (c *call) send(ctx context.Context, client *http.Client) {
	ctx, c.record = insist.WithRecord(insist.EditPolicy(ctx, c.edit))
	req, err := http.NewRequestWithContext(ctx, c.method, "http://shop.example.com"+c.path, nil)
	if err != nil {
		panic(err) // a path that is none
	}
	if c.method == http.MethodPost {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	resp, err := client.Do(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	} // else the record has it
}
