// Package insisttest helps to test how a program retries: its settings, and what it does
// when the attempts are used up. It doesn't depend on insist and works with any client.
//
// A [Script] decides how each attempt ends. The same script can be used as a base
// http.RoundTripper, which needs no network, and as the http.Handler of a server:
//
//	api := insisttest.NewScript(
//		insisttest.Status(503, "Retry-After", "20"),
//		insisttest.Lost(),
//		insisttest.JSON(200, `{"state": "done"}`),
//	)
//	client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: policy}}
//
// Afterwards the script reports what arrived, by [Script.Arrivals] and [Script.Waits], and
// whether each response was closed, by [Script.Bodies].
//
// # Virtual time
//
// A test need not really wait: in a bubble of [testing/synctest] the clock advances as
// soon as all goroutines wait, and waits are exact. A bubble needs a *testing.T, so the
// examples of it are tests, in example_test.go:
//
//	func TestPolicy(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			// make the script and the client, send the request
//			want := []time.Duration{20 * time.Second, 2 * time.Second}
//			if got := api.Waits(); !slices.Equal(got, want) {
//				t.Errorf("waited %v, want %v", got, want)
//			}
//		})
//	}
//
// A real socket stops that clock. If a test needs net/http's own transport and server, use
// a [Listener], which is a network in memory.
//
// # Base or server
//
// A script behaves the same as a base and as a server, as far as that is possible without
// a network. If a step returns an error, the base returns that error; a server resets the
// connection (HTTP/1) or the stream (HTTP/2). Only a server shows what net/http adds:
// headers such as Date and User-Agent. On a reused connection net/http may also resend a
// GET by itself, which counts as one more arrival. [Listener.Transport] doesn't reuse
// connections; for any other transport set DisableKeepAlives.
package insisttest
