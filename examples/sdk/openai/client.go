package main

import (
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/seed-552c89fc/insist"
)

// connect is openai-go's quick start with two lines more: its own retry off, ours
// in. base makes the attempts; in a program of yours leave it out, and the URL.
func connect(url string, base http.RoundTripper) openai.Client {
	return openai.NewClient(
		option.WithAPIKey("My API Key"),
		option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: &insist.RetryTransport{Policy: policyFor(), Base: base}}),
		option.WithBaseURL(url),
	)
}

// policyFor returns what is right for OpenAI. Nearly all calls are POSTs: one that
// was answered by an error is made again, as the SDK does by itself; one whose
// response was lost is not, since it may have been carried out, and charged for.
// The headers x-should-retry and retry-after-ms are obeyed by insist itself.
func policyFor() insist.Policy {
	policy := insist.Standard()
	policy.MaxWholeBytes = 1 << 20 // of a GET, a truncated response is retried
	policy.NonIdempotent = insist.ResendUnlessLost
	policy.RetryableStatus = mayPassStatus
	policy.RetryableBody = insist.JSONField("/error/code", mayPassCode)
	policy.RetryableEvent = insist.JSONField("/error/type", mayPassType)
	return policy
}

// mayPassStatus has the SDK's own statuses; 409 is a lock that was not to be had.
func mayPassStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// mayPassCode is about a response whose status is "failed", which comes with 200.
func mayPassCode(code string) bool {
	return code == "server_error" || code == "rate_limit_exceeded"
}

// mayPassType is about a stream, which comes with 200, too, and whose first event is
// an error: OpenAI's own, and that of the services with the same API. If it is none of
// these, or a later event, the SDK makes its error of it.
func mayPassType(kind string) bool {
	return kind == "server_error" || kind == "overloaded_error" || kind == "rate_limit_error"
}
