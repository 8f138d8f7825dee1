package retryablehttp_test

import (
	"fmt"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/sloginsist"
)

// post sends a POST to a server that fails once.
func post() {
	api := insisttest.NewScript(insisttest.Status(500), insisttest.Status(201))
	client := retryablehttp.NewClient()
	client.HTTPClient.Transport, client.RetryWaitMin, client.Logger = api, 1, nil
	resp, err := client.Post("http://api.test/", "application/json", []byte(`{}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", len(api.Arrivals()), "requests")
}

// A POST is retried after a status that says that it failed.
func Example_editPolicy() {
	defer func() { retryablehttp.EditPolicy = nil }()

	retryablehttp.EditPolicy = func(req *http.Request, p *insist.Policy) {
		p.NonIdempotent = insist.ResendUnlessLost
	}

	post()
	// Output: 201 after 2 requests
}

// What the retries of an SDK do is logged. (The log goes to standard error.)
func Example_log() {
	defer func() { retryablehttp.EditPolicy = nil }()

	retryablehttp.EditPolicy = func(req *http.Request, p *insist.Policy) {
		p.OnAttempt = sloginsist.Hook{}.OnAttempt
	}

	post()
	// Output: 500 after 1 requests
}
