package insisttest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// TestPolicyInVirtualTime is an example, and a test because a bubble needs a
// *testing.T: how long does the policy wait? It takes no time to run.
func TestPolicyInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := insist.Policy{MaxAttempts: 4, Backoff: insist.Constant(5 * time.Second)}
		api := insisttest.NewScript(
			insisttest.Status(500),
			insisttest.Status(503, "Retry-After", "20"),
			insisttest.Lost(),
			insisttest.JSON(200, `{"state": "done"}`),
		)
		client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: policy}}
		if _, err := client.Get("http://api.test/"); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{5 * time.Second, 20 * time.Second, 5 * time.Second}
		if got := api.Waits(); !slices.Equal(got, want) {
			t.Errorf("waited %v, want %v", got, want)
		}
	})
}

// TestServerInVirtualTime is an example, too: net/http's own transport and
// server in a bubble, and a response that takes an hour.
func TestServerInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := insisttest.NewScript(
			insisttest.After(time.Hour, insisttest.Status(200)),
			insisttest.Status(200),
		)
		network := insisttest.NewListener()
		server := httptest.Server{Listener: network, Config: &http.Server{Handler: api}}
		server.Start()
		defer server.Close()

		policy := insist.Policy{PerAttemptTimeout: 10 * time.Second, Backoff: insist.Constant(time.Second)}
		client := &http.Client{Transport: &insist.RetryTransport{Base: network.Transport(), Policy: policy}}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := []time.Duration{11 * time.Second}
		if got := api.Waits(); !slices.Equal(got, want) {
			t.Errorf("waited %v, want %v", got, want)
		}
	})
}

// A script is the base of a transport, and says what it got.
func ExampleScript() {
	api := insisttest.NewScript(
		insisttest.Status(503),
		insisttest.Lost(),
		insisttest.JSON(201, `{"id": 7}`),
	)
	policy := insist.Policy{Backoff: insist.Constant(0)}
	client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: policy}}

	req, _ := http.NewRequest("POST", "http://api.test/orders", strings.NewReader(`{"item": "apple"}`))
	req.Header.Set("Idempotency-Key", "order-1")
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()

	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))
	for _, a := range api.Arrivals() {
		fmt.Println(a.Method, a.URI, a.Header.Get("Idempotency-Key"), a.Body, a.Whole)
	}
	for _, body := range api.Bodies() {
		fmt.Println("closed:", body.Closes() > 0)
	}
	// Output:
	// 201 Created {"id": 7}
	// POST /orders order-1 {"item": "apple"} true
	// POST /orders order-1 {"item": "apple"} true
	// POST /orders order-1 {"item": "apple"} true
	// closed: true
	// closed: false
}

// The same script is a server's handler. Here a POST without a key: its response is
// lost, and so it is not sent again.
func ExampleScript_server() {
	api := insisttest.NewScript(insisttest.Lost(), insisttest.Status(201))
	server := httptest.NewServer(api)
	defer server.Close()

	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}
	_, err := client.Post(server.URL+"/orders", "application/json", strings.NewReader(`{"item": "apple"}`))
	fmt.Println("failed:", err != nil)
	for _, a := range api.Arrivals() {
		fmt.Println(a.Method, a.URI, a.Body, a.Whole)
	}
	// Output:
	// failed: true
	// POST /orders {"item": "apple"} true
}

// A step of your own is a function, and may call others.
func ExampleStep() {
	signed := func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("Authorization") == "" {
			return insisttest.Status(401)(req)
		}
		return insisttest.JSON(200, `{}`)(req)
	}
	client := &http.Client{Transport: insisttest.NewScript(signed)}
	resp, err := client.Get("http://api.test/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status)
	// Output: 401 Unauthorized
}

// A truncated response: a 200, and then half of what was to come.
func ExampleCutAfter() {
	done := insisttest.JSON(200, `{"state": "done"}`)
	api := insisttest.NewScript(insisttest.Status(503, "Retry-After", "0"), insisttest.CutAfter(10, done), done)
	policy := insist.Policy{Backoff: insist.Constant(0), MaxWholeBytes: 1 << 10}
	client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: policy}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/", nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	for _, a := range record.Calls()[0] {
		fmt.Println(a.Status, a.Err, a.Reason)
	}
	// Output:
	// {"state": "done"} <nil>
	// 503 <nil> status
	// 200 unexpected EOF error
	// 200 <nil> success
}

// A request's body is closed however often it is sent.
func ExampleBody() {
	api := insisttest.NewScript(insisttest.Status(503))
	client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: insist.Policy{Backoff: insist.Constant(0)}}}

	upload := &insisttest.Body{Reader: strings.NewReader("hello")}
	resp, err := client.Post("http://api.test/", "text/plain", upload)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(len(api.Arrivals()), "attempts, closed", upload.Closes(), "time")
	// Output: 3 attempts, closed 1 time
}
