package insist_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// A Twirp service says 408 where the caller's deadline has passed or the call was
// canceled. To Standard a 408 is a failure that may pass; here it is an answer.
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

// A search by POST changes nothing, so that it may be sent again also where the
// answer was lost.
func ExamplePolicy_idempotent() {
	server := exampleServer(0, 200) // 0: no answer
	defer server.Close()

	policy := insist.Standard()
	policy.Idempotent = func(req *http.Request) bool {
		return req.Method == "GET" || req.URL.Path == "/search"
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

	sign := func(req *http.Request) error {
		nonce := fmt.Sprint("order 7, attempt ", insist.AttemptNumber(req.Context()))
		req.Header.Set("X-Nonce", nonce)
		req.Header.Set("X-Signature", mac(nonce))
		return nil
	}
	policy := insist.Standard()
	policy.Prepare = sign
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	req, _ := http.NewRequest("PUT", server.URL+"/orders/7", strings.NewReader("one apple"))
	if err := sign(req); err != nil {
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
