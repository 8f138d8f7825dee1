package recipes_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// breaker is a RoundTripper that asks a circuit breaker first. It is the base of a
// RetryTransport, so that the circuit breaker counts each attempt.
type breaker struct {
	base http.RoundTripper
	cb   *gobreaker.CircuitBreaker[*http.Response]
}

var errServer = errors.New("a status that counts as a failure")

func (b *breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.cb.Execute(func() (*http.Response, error) {
		resp, err := b.base.RoundTrip(req)
		if err == nil && resp.StatusCode >= 500 {
			err = errServer
		}
		return resp, err
	})
	switch {
	case errors.Is(err, errServer):
		return resp, nil // the response is the caller's all the same
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		if req.Body != nil {
			req.Body.Close() // as a RoundTripper has to
		}
		return nil, insist.Permanent(err) // the circuit is open: no further attempt
	}
	return resp, err
}

// The second call opens the circuit at its first attempt, the third in a row that
// fails; from then on no request is sent.
func Example_circuitBreaker() {
	api := insisttest.NewScript(insisttest.Status(500))
	server := httptest.NewServer(api)
	defer server.Close()
	policy := insist.Policy{MaxAttempts: 2, Backoff: insist.Constant(0)}

	cb := gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{
		Timeout:     time.Minute,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
	})
	client := &http.Client{Transport: &insist.RetryTransport{
		Base:   &breaker{http.DefaultTransport, cb},
		Policy: policy,
	}}

	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println("open:", errors.Is(err, gobreaker.ErrOpenState), "- requests:", len(api.Arrivals()))
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Status, "- requests:", len(api.Arrivals()))
	}
	// Output:
	// 500 Internal Server Error - requests: 2
	// open: true - requests: 3
	// open: true - requests: 3
}
