package main

import (
	"net/http"

	"github.com/seed-552c89fc/insist"
)

// newClient returns a client that retries, and prints each attempt. Copy this: a policy,
// and one field of an http.Client. Only p, which prints, belongs to the demonstration.
func newClient(p *printer) *http.Client {
	policy := insist.Standard()
	policy.RetryableBody = insist.JSONField("/ret_code", func(code int) bool { return code == 5000 })
	policy.OnAttempt = p.attempt
	return &http.Client{Transport: &insist.RetryTransport{Base: p, Policy: policy}}
}
