package insist_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// exampleServer responds with these statuses, one after the other, and goes on with
// the last one. Status 0 is no response: it closes the connection.
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
	server := exampleServer(503, 0, 200) // 0: no response
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

// getItems is what the README begins with.
func getItems(url string) error {
	client := &http.Client{
		Transport: &insist.RetryTransport{Policy: insist.Standard()},
	}

	resp, err := client.Get(url)
	if err != nil {
		return err // the last attempt's error, as net/http made it
	}
	defer resp.Body.Close() // the last attempt's response, whatever its status
	return json.NewDecoder(resp.Body).Decode(new([]string))
}

// The same in a function, against a server that is busy at first.
func ExampleRetryTransport_function() {
	server := httptest.NewServer(insisttest.NewScript(
		insisttest.Status(503, "Retry-After", "0"),
		insisttest.JSON(200, `["apple"]`),
	))
	defer server.Close()

	fmt.Println(getItems(server.URL))
	// Output: <nil>
}

// When the attempts are used up, the last response is handed over as it came: it is
// not turned into an error.
func ExampleRetryTransport_lastResponse() {
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

// To Standard a 404 is an ordinary response. To the zero Policy it is a failure, as any
// status above 400, and requested again.
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

// A record has the attempts of a call, also of one that succeeded.
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

// A Twirp service says 408 where the caller's deadline has passed or the call was
// canceled. To Standard a 408 is a failure that may pass; here it is a result.
// (For rate limits, as GitHub's by 403, there is the package ratelimit.)
func ExamplePolicy_classify() {
	server := exampleServer(408, 200)
	defer server.Close()

	policy := insist.Standard()
	policy.Classify = func(_ *http.Request, resp *http.Response, _ error, _ int) (d insist.Decision) {
		if resp != nil && resp.StatusCode == http.StatusRequestTimeout {
			d.Verdict = insist.Stop
		}
		return d // else the other rules decide
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 408 Request Timeout
}

// A search by POST changes nothing, so that it may be retried also where its response
// was lost. For all other requests the default rule counts.
func ExamplePolicy_idempotent() {
	server := exampleServer(0, 200) // 0: no response
	defer server.Close()

	policy := insist.Standard()
	policy.Idempotent = func(req *http.Request) bool {
		return req.URL.Path == "/search" || insist.IsIdempotent(req)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Post(server.URL+"/search", "application/json", strings.NewReader(`{"q": "go"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// Where each request needs a signature of its own, Prepare signs the attempts
// from the second on; the first is signed by the caller.
func ExamplePolicy_prepare() {
	mac := func(nonce string) string {
		h := hmac.New(sha256.New, []byte("key"))
		h.Write([]byte(nonce))
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	used := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		nonce := req.Header.Get("X-Nonce")
		switch {
		case used[nonce] || req.Header.Get("X-Signature") != mac(nonce):
			w.WriteHeader(http.StatusUnauthorized)
		case len(used) == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		used[nonce] = true
	}))
	defer server.Close()

	sign := func(req *http.Request, _ *http.Response, _ error) error {
		nonce := fmt.Sprint("order 7, attempt ", insist.AttemptNumber(req.Context()))
		req.Header.Set("X-Nonce", nonce)
		req.Header.Set("X-Signature", mac(nonce))
		return nil
	}
	policy := insist.Standard()
	policy.Prepare = sign
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	req, _ := http.NewRequest("PUT", server.URL+"/orders/7", strings.NewReader("one apple"))
	if err := sign(req, nil, nil); err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	fmt.Println(req.Header.Get("X-Nonce")) // the caller's request is not changed
	// Output:
	// 200 OK
	// order 7, attempt 1
}

// Only errors of the network below HTTP are retried.
func ExampleErrorAs() {
	policy := insist.Policy{
		Backoff:        insist.Constant(time.Millisecond),
		RetryableError: insist.ErrorAs[*net.OpError],
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:1", nil) // refused
	_, err := client.Do(req)
	fmt.Println(insist.ErrorAs[*net.OpError](err), "after", len(record.Calls()[0]), "attempts")
	// Output: true after 3 attempts
}

var errNoToken = errors.New("no token in the key ring")

// withToken is a RoundTripper that adds a token to each request.
type withToken struct{ base http.RoundTripper }

func (t withToken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, insist.Permanent(errNoToken)
}

// A layer below says that another attempt would not help.
func ExamplePermanent() {
	transport := &insist.RetryTransport{Base: withToken{http.DefaultTransport}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.example.com/", nil)
	_, err := transport.RoundTrip(req)
	fmt.Println(err)
	fmt.Println(errors.Is(err, errNoToken), "after", len(record.Calls()[0]), "attempt")
	// Output:
	// no token in the key ring
	// true after 1 attempt
}

// The waits are random, and their limit doubles.
func ExampleExponential() {
	backoff := insist.Exponential(100*time.Millisecond, time.Second)

	for failed, limit := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		wait := backoff(failed + 1)
		fmt.Println(limit*time.Millisecond, 0 <= wait && wait <= limit*time.Millisecond)
	}
	// Output:
	// 100ms true
	// 200ms true
	// 400ms true
	// 800ms true
	// 1s true
	// 1s true
}

// A small response is truncated. With MaxWholeBytes the caller never sees that.
func ExamplePolicy_maxWholeBytes() {
	server := httptest.NewServer(insisttest.NewScript(
		insisttest.CutAfter(10, insisttest.JSON(200, `{"stock": {"apple": 5}}`)),
		insisttest.JSON(200, `{"stock": {"apple": 5}}`),
	))
	defer server.Close()

	policy := insist.Standard()
	policy.MaxWholeBytes = 1 << 20
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err)
	// Output: {"stock": {"apple": 5}} <nil>
}

// The line breaks after each 400 KB of a file of 1 MB. With ResumeDownloads the
// body is resumed by itself; here OnAttempt shows it.
func ExamplePolicy_resumeDownloads() {
	file := bytes.Repeat([]byte("0123456789"), 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`) // names this version of the file
		http.ServeContent(&brittle{w, 400_000}, r, "", time.Time{}, bytes.NewReader(file))
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.ResumeDownloads = true
	policy.BodyIdleTimeout = 30 * time.Second // a body that is silent for so long is broken, too
	// Where the ETag is weak, or differs from node to node:
	policy.ResumeValidator = func(h http.Header) string { return h.Get("Docker-Content-Digest") }
	policy.OnAttempt = func(_ context.Context, a insist.Attempt) {
		fmt.Println(a.Number, a.Status, a.Reason)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	fmt.Println(bytes.Equal(got, file), err)
	// Output:
	// 1 200 success
	// 1 200 error
	// 2 206 success
	// 2 206 error
	// 3 206 success
	// true <nil>
}

// brittle is the writer of a response whose connection breaks after left bytes.
type brittle struct {
	http.ResponseWriter
	left int
}

func (b *brittle) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 && n < len(p) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// A record prints as one line, which says why a call took so long and is safe to
// log.
func ExampleRecord() {
	server := exampleServer(503, 429, 200)
	defer server.Close()
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Policy{Backoff: insist.Constant(0)}}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"?token=secret", nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	line := strings.Replace(record.String(), req.URL.Host, "api.example.com", 1)
	fmt.Println(regexp.MustCompile(`[0-9.]+[mµn]?s\b`).ReplaceAllString(line, "2ms")) // the times vary
	// Output: GET api.example.com: 3 attempts in 2ms: 503 after 2ms (status), wait 2ms; 429 after 2ms (status), wait 2ms; 200 after 2ms (success)
}

// What an error of a call means, and a response.
func ExampleError() {
	server := exampleServer(503)
	defer server.Close()
	policy := insist.Standard()
	ctx, cancel := context.WithCancel(context.Background())
	policy.OnAttempt = func(context.Context, insist.Attempt) { cancel() } // the caller gives up
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)

	resp, err := client.Do(req)
	if e, ok := errors.AsType[*insist.Error](err); ok {
		// There is neither a response nor an error of the network to give back.
		fmt.Println(e)
		fmt.Println(e.Reason, e.Attempts, e.Status, errors.Is(err, context.Canceled))
		return
	}
	if err != nil {
		fmt.Println(err) // the last attempt's error, as net/http made it
		return
	}
	defer resp.Body.Close() // the last attempt's response, whatever its status
	fmt.Println(resp.Status)
	// Output:
	// insist: gave up after 1 attempt: context canceled; last status 503
	// context_ended 1 503 true
}

// An Attempt is safe to print and to log by any means.
func ExampleAttempt() {
	attempt := insist.Attempt{
		Number: 1, Method: "GET", Host: "api.example.com", Status: 503,
		Duration: 12 * time.Millisecond, Wait: time.Second, Retry: true, Reason: insist.ReasonStatus,
	}

	fmt.Println(attempt)
	text, _ := json.Marshal(attempt)
	fmt.Println(string(text))
	// Output:
	// 503 after 12ms (status), wait 1s
	// {"number":1,"method":"GET","host":"api.example.com","status":503,"duration":12000000,"wait":1000000000,"retry":true,"reason":"status"}
}

// One call is told that the limit lasts for an hour. The next one ends at once,
// without asking the server.
func ExampleCooldown() {
	api := insisttest.NewScript(insisttest.Status(429, "Retry-After", "3600"))
	server := httptest.NewServer(api)
	defer server.Close()

	policy := insist.Standard()
	policy.Cooldown = new(insist.Cooldown)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)

	_, err = client.Get(server.URL)
	if e, ok := errors.AsType[*insist.Error](err); ok {
		fmt.Println(e.Reason, "for", time.Until(e.Until).Round(time.Minute))
	}
	fmt.Println(len(api.Arrivals()), "request")
	// Output:
	// 429 Too Many Requests
	// cooldown for 1h0m0s
	// 1 request
}

// How often, after which waits, and for how long.
func ExamplePolicy_limits() {
	server := exampleServer(503, 502, 200)
	defer server.Close()

	policy := insist.Standard()
	policy.MaxAttempts = 5
	policy.Backoff = insist.Exponential(100*time.Millisecond, 5*time.Second)
	policy.MaxRetryAfter = time.Minute          // a longer wait ends the call, with that response
	policy.PerAttemptTimeout = 10 * time.Second // for one attempt, until its response is accepted
	policy.MaxElapsed = time.Minute             // after this no attempt begins
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A service is down, and ten calls in a row fail. The first two of them are retried;
// then the budget is used up, and each call is one attempt.
func ExampleBudget() {
	api := insisttest.NewScript(insisttest.Status(503))
	server := httptest.NewServer(api)
	defer server.Close()

	budget := new(insist.Budget) // for all that calls the same services
	policy := insist.Standard()
	policy.Budget = budget
	work := insist.Policy{Name: "publish", Budget: budget}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	for range 10 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
	}
	fmt.Println("10 calls:", len(api.Arrivals()), "requests")
	err := insist.Run(context.Background(), work, func(context.Context) error { return nil })
	fmt.Println(work.Name, err)
	// Output:
	// 10 calls: 14 requests
	// publish <nil>
}

// A base of one's own with the settings of the default one, and a limit of one's own.
func ExampleDefaultBase() {
	server := exampleServer(503, 200)
	defer server.Close()

	base := insist.DefaultBase()
	base.MaxConnsPerHost = 50
	client := &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: insist.Standard()}}
	defer client.CloseIdleConnections()

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

// The first request hangs. Another one begins beside it after a while, and brings the
// response.
func ExampleHedge() {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if n.Add(1) == 1 {
			<-req.Context().Done() // until the client gives up
		}
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.Hedge = new(insist.Hedge)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
	policy.Hedge.Delay = 20 * time.Millisecond // by default it follows the server

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	line := strings.Replace(record.String(), req.URL.Host, "api.example.com", 1)
	fmt.Println(regexp.MustCompile(`[0-9.]+[mµn]?s\b`).ReplaceAllString(line, "2ms")) // the times vary
	// Output: GET api.example.com: 2 attempts in 2ms: no response after 2ms (overtaken); begun 2ms beside, 200 after 2ms (success)
}
