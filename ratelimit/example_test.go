package ratelimit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/ratelimit"
)

// service responds with the first status and these headers, and from then on with
// 200.
func service(status int, header map[string]string, body string) *httptest.Server {
	requests := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests > 1 {
			return
		}
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
}

// send makes a request and prints what its attempts came to.
func send(client *http.Client, method, url string) {
	ctx, record := insist.WithRecord(context.Background())
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	for _, a := range record.Calls()[0] {
		fmt.Printf("attempt %d: status %d, again: %t (%s)\n", a.Number, a.Status, a.Retry, a.Reason)
	}
}

// GitHub turns a request away by a 403. Its limit has just been renewed.
func ExampleClassify() {
	server := service(http.StatusForbidden, map[string]string{
		"X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset":     strconv.FormatInt(time.Now().Unix(), 10),
	}, "")
	defer server.Close()

	policy := insist.Standard()
	policy.Classify = ratelimit.Classify
	policy.MaxRetryAfter = time.Hour // to wait for the main limit, too
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	send(client, "POST", server.URL)
	// Output:
	// attempt 1: status 403, again: true (decision)
	// attempt 2: status 200, again: false (success)
}

// Without a MaxRetryAfter of its own a call does not wait for longer than 30
// seconds. The caller gets the 403 at once.
func ExampleClassify_longLimit() {
	server := service(http.StatusForbidden, map[string]string{
		"X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset":     strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10),
	}, "")
	defer server.Close()

	policy := insist.Standard()
	policy.Classify = ratelimit.Classify
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	send(client, "GET", server.URL)
	// Output: attempt 1: status 403, again: false (wait_too_long)
}

// A rule of one's own goes first, and leaves to Classify what it does not know.
func ExampleClassify_combined() {
	server := service(http.StatusTooManyRequests, map[string]string{
		"RateLimit": `"requests";r=0;t=0`,
		"Warning":   "account closed",
	}, "")
	defer server.Close()

	policy := insist.Standard()
	policy.Classify = func(req *http.Request, resp *http.Response, err error, attempt int) insist.Decision {
		if resp != nil && resp.Header.Get("Warning") != "" {
			return insist.Decision{Verdict: insist.Stop}
		}
		return ratelimit.Classify(req, resp, err, attempt)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	send(client, "GET", server.URL)
	// Output: attempt 1: status 429, again: false (decision)
}

// Some of GitHub's secondary limits are in the body alone. Its advice is to
// wait for a minute then.
func ExampleClassify_secondaryLimit() {
	server := service(http.StatusForbidden, map[string]string{"Content-Type": "application/json"},
		`{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`)
	defer server.Close()

	limited := insist.JSONField("/message", func(text string) bool {
		return strings.Contains(text, "secondary rate limit")
	})
	minute := time.Millisecond // here; else time.Minute, and a MaxRetryAfter to match
	policy := insist.Standard()
	policy.Classify = ratelimit.Classify
	policy.RetryableBody = func(req *http.Request, resp *http.Response, attempt int, body io.Reader) insist.Decision {
		d := limited(req, resp, attempt, body)
		if d.Verdict == insist.Retry {
			d.Wait = minute
		}
		return d
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	send(client, "GET", server.URL)
	// Output:
	// attempt 1: status 403, again: true (condition)
	// attempt 2: status 200, again: false (success)
}
