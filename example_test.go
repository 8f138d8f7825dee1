package insist_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist"
)

// exampleServer answers with these statuses, one after the other, and goes on
// with the last one. Status 0 is no answer: it closes the connection.
func exampleServer(statuses ...int) *httptest.Server {
	var requests atomic.Int32
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := statuses[min(int(requests.Add(1)), len(statuses))-1]
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	}))
}

// A RetryTransport goes into any http.Client, also into that of an SDK.
func ExampleRetryTransport() {
	server := exampleServer(503, 0, 200) // 0: no answer
	defer server.Close()

	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// When the attempts are used up, the last answer is handed over as it came: it
// is not turned into an error.
func ExampleRetryTransport_lastAnswer() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "still down", http.StatusBadGateway)
	}))
	defer server.Close()

	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var text [10]byte
	n, _ := resp.Body.Read(text[:])
	fmt.Printf("%s: %s\n", resp.Status, text[:n])
	// Output: 502 Bad Gateway: still down
}

// A Policy is a plain value. Fields that are not set have their defaults.
func ExamplePolicy() {
	server := exampleServer(500, 500, 500, 200)
	defer server.Close()

	policy := insist.Policy{
		MaxAttempts:     5,
		Backoff:         insist.Exponential(10*time.Millisecond, time.Second),
		RetryableStatus: insist.StatusAbove(499),
		OnAttempt: func(_ context.Context, a insist.Attempt) {
			fmt.Println(a.Number, a.Status, a.Reason)
		},
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	// Output:
	// 1 500 status
	// 2 500 status
	// 3 500 status
	// 4 200 success
}

// Standard takes a 404 for an answer. The zero Policy takes it for a failure, as
// any status above 400, and asks again.
func ExampleStandard() {
	server := exampleServer(404)
	defer server.Close()

	standard, zero := insist.Standard(), insist.Policy{}
	zero.Backoff = insist.Constant(time.Millisecond) // in place of 2 seconds
	for _, policy := range []insist.Policy{standard, zero} {
		ctx, record := insist.WithRecord(context.Background())
		req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, "after", len(record.Calls()[0]), "attempts")
	}
	// Output:
	// 404 after 1 attempts
	// 404 after 3 attempts
}

// One request is not to be repeated at all, though its client does so.
func ExampleEditPolicy() {
	server := exampleServer(503)
	defer server.Close()
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}

	ctx, record := insist.WithRecord(context.Background())
	ctx = insist.EditPolicy(ctx, func(p *insist.Policy) { p.MaxAttempts = 1 })
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", len(record.Calls()[0]), "attempt")
	// Output: 503 after 1 attempt
}

// A record tells what a call took, also one that succeeded.
func ExampleWithRecord() {
	server := exampleServer(503, 429, 200)
	defer server.Close()
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	for _, call := range record.Calls() { // a redirect would be another call
		for _, a := range call {
			fmt.Printf("attempt %d: status %d, again: %t (%s)\n", a.Number, a.Status, a.Retry, a.Reason)
		}
	}
	// Output:
	// attempt 1: status 503, again: true (status)
	// attempt 2: status 429, again: true (status)
	// attempt 3: status 200, again: false (success)
}
