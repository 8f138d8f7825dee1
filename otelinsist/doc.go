// Package otelinsist traces and counts what insist does, by OpenTelemetry: a
// client span for each attempt, with http.request.resend_count, and metrics of
// attempts, retries and calls given up. It needs OpenTelemetry's API only; a
// program without an SDK can use it, too.
//
//	policy := insist.Standard()
//	policy.OnAttempt = otelinsist.Metrics(nil)
//	client := &http.Client{Transport: &insist.RetryTransport{
//		Base:   &otelinsist.Transport{},
//		Policy: policy,
//	}}
//
// # With otelhttp
//
// The spans depend on what is on top of what, from the client downwards:
//
//	RetryTransport                  a span for each attempt, of otelhttp's making:
//	otelhttp.NewTransport           the order that the semantic conventions ask for.
//	ResendCount                     otelhttp's duration is that of an attempt
//
//	RetryTransport                  a span for each attempt, without otelhttp
//	Transport
//
//	otelhttp.NewTransport           a span for the call, and below it one for each
//	RetryTransport                  attempt. otelhttp's duration is that of the
//	Transport                       call, with all waits
//
//	otelhttp.NewTransport           one span for the call, with the number of
//	RetryTransport                  retries and the last attempt's status. A server
//	ResendCount                     sees all attempts under the same parent
//
// A redirect is a call of its own: its first attempt has no resend_count.
package otelinsist

// scope is the name under which spans and metrics are made.
const scope = "github.com/seed-552c89fc/insist/otelinsist"
