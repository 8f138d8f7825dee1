package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/ratelimit"
)

// connect is go-github's quick start with two lines more: ours in, and its own
// rate limit check off, by which it would refuse calls until a limit's end without
// making them. base makes the attempts; in a program of yours leave it out, and
// the URLs.
func connect(url string, base http.RoundTripper) (*github.Client, error) {
	url += "/"
	return github.NewClient(
		github.WithAuthToken("token"),
		github.WithTransport(&insist.RetryTransport{Policy: policyFor(), Base: base}),
		github.WithDisableRateLimitCheck(),
		github.WithURLs(&url, &url),
	)
}

// policyFor returns what is right for GitHub. Its main limit may last an hour:
// where a program should wait for that, set MaxRetryAfter.
func policyFor() insist.Policy {
	policy := insist.Standard()
	policy.MaxWholeBytes = 1 << 20 // a truncated response is retried
	policy.Classify = classify
	policy.Idempotent = canBeRepeated
	return policy
}

// classify knows two ways in which GitHub says "not now": a 202 for statistics that
// it has yet to count, and a 403 that is a limit.
func classify(req *http.Request, resp *http.Response, err error, attempt int) insist.Decision {
	if resp != nil && resp.StatusCode == http.StatusAccepted && req.Method == http.MethodGet {
		return insist.Decision{Verdict: insist.Retry, Wait: time.Second}
	}
	return ratelimit.Classify(req, resp, err, attempt)
}

// canBeRepeated has one POST more than the methods tell: no two assets of a
// release have the same name, so that an upload which had been carried out is
// refused (422, already_exists) and not doubled.
func canBeRepeated(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		return strings.HasSuffix(req.URL.Path, "/assets")
	}
	return false
}
