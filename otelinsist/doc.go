// Package otelinsist traces and counts retries by OpenTelemetry: a client span for each
// attempt, with http.request.resend_count, and metrics of attempts, retries and calls
// given up. It needs only OpenTelemetry's API, so it works in a program without an SDK.
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
// The spans depend on the order of the RoundTrippers, listed from the client downwards:
//
//	RetryTransport                  a span for each attempt, made by otelhttp: the
//	otelhttp.NewTransport           order that the semantic conventions require.
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

// scope is the name of the instrumentation scope of the spans and metrics.
const scope = "github.com/seed-552c89fc/insist/otelinsist"
