package main

import (
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/ratelimit"
)

// connect is anthropic-sdk-go's quick start with two lines more: its own retry off,
// ours in. base makes the attempts; in a program of yours leave it out, and the URL.
func connect(url string, base http.RoundTripper) anthropic.Client {
	return anthropic.NewClient(
		option.WithAPIKey("my-anthropic-api-key"),
		option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: &insist.RetryTransport{Policy: policyFor(), Base: base}}),
		option.WithBaseURL(url),
	)
}

// policyFor returns what is right for Anthropic. Messages are POSTs: one that was
// answered by an error is requested again, as the SDK does by itself; one whose
// response was lost is not, since it may have been charged for. Standard has 529,
// the API's own status for an overload. The limits in anthropic-ratelimit headers are
// read by ratelimit.Classify; x-should-retry and retry-after by insist itself.
func policyFor() insist.Policy {
	policy := insist.Standard()
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.Classify = ratelimit.Classify
	policy.RetryableEvent = insist.JSONField("/error/type", mayPass)
	return policy
}

// mayPass is about a stream, which comes with 200, and whose first event is an error.
// If it is none of these, or a later event, the SDK makes its error of it.
func mayPass(kind string) bool {
	return kind == "overloaded_error" || kind == "api_error" || kind == "rate_limit_error"
}
