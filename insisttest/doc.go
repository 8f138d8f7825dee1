// Package insisttest helps to test how a program retries: its settings, and what
// it does when the attempts are used up. It knows nothing of insist and works
// with any client.
//
// A [Script] says what each attempt meets. The same script is a base
// http.RoundTripper, which needs no network, and an http.Handler for a server:
//
//	api := insisttest.NewScript(
//		insisttest.Status(503, "Retry-After", "20"),
//		insisttest.Lost(),
//		insisttest.JSON(200, `{"state": "done"}`),
//	)
//	client := &http.Client{Transport: &insist.RetryTransport{Base: api, Policy: policy}}
//
// Afterwards the script says what arrived: [Script.Arrivals], [Script.Waits],
// and whether each response was closed: [Script.Bodies].
//
// # Virtual time
//
// Nobody has to wait for the waits: in a bubble of [testing/synctest] the clock
// moves on as soon as all goroutines wait, and waits are exact. A bubble needs a
// *testing.T, so the examples here that show it are tests, in example_test.go:
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
// A socket would keep the clock from moving. Where a test needs net/http's own
// transport and server, a [Listener] is the network, in memory.
//
// # Base or server
//
// A script means the same on both, as far as a base without a network can: an
// error that a step returns is the base's, and on a server the connection is
// reset (HTTP/1) or the stream (HTTP/2). What net/http adds comes with a server
// only: headers such as Date and User-Agent; and on a connection that was kept
// it repeats a GET by itself, which is an arrival more. [Listener.Transport]
// keeps none; to others give DisableKeepAlives.
package insisttest
