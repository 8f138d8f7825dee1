package otelinsist_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/otelinsist"
)

func join(lines []string) string { return strings.Join(lines, "\n") }

// What the calls of one RetryTransport are counted as, in virtual time.
func TestMetrics(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name   string
		method string
		policy insist.Policy
		steps  []int
		cancel time.Duration // zero means never
		want   []string
	}{
		{"success at once", "GET", insist.Policy{}, []int{200}, 0, []string{
			"insist.attempts {method=GET status_code=200 address=x} 1",
		}},
		{"retries", "GET", insist.Policy{}, []int{503, 0, 200}, 0, []string{
			"insist.attempts {type=503 method=GET status_code=503 address=x} 1",
			"insist.attempts {type=connection_reset method=GET address=x} 1",
			"insist.attempts {method=GET status_code=200 address=x} 1",
			"insist.retries {method=GET reason=error address=x} 1",
			"insist.retries {method=GET reason=status address=x} 1",
			"insist.retry.wait {method=GET address=x} 2 4s",
		}},
		{"attempts_used_up", "GET", insist.Policy{}, []int{404}, 0, []string{
			"insist.attempts {type=404 method=GET status_code=404 address=x} 3",
			"insist.retries {method=GET reason=status address=x} 2",
			"insist.retry.wait {method=GET address=x} 2 4s",
			"insist.give_ups {method=GET reason=attempts_used_up address=x} 1",
		}},
		{"a response that was lost", "POST", insist.Policy{}, []int{0}, 0, []string{
			"insist.attempts {type=connection_reset method=POST address=x} 1",
			"insist.give_ups {method=POST reason=maybe_done address=x} 1",
		}},
		{"refused by the budget", "GET", insist.Policy{Budget: spent()}, []int{503}, 0, []string{
			"insist.attempts {type=503 method=GET status_code=503 address=x} 1",
			"insist.give_ups {method=GET reason=budget_used_up address=x} 1",
		}},
		{"wait cut short", "GET", insist.Policy{}, []int{503}, second, []string{
			"insist.attempts {type=503 method=GET status_code=503 address=x} 1",
			"insist.retries {method=GET reason=status address=x} 1",
			"insist.retry.wait {method=GET address=x} 1 2s",
			"insist.give_ups {method=GET reason=context_ended address=x} 1",
		}},
		{"a decision is no give-up", "BREW", insist.Policy{Classify: stop}, []int{403}, 0, []string{
			"insist.attempts {type=403 method=_OTHER status_code=403 address=x} 1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meters := newMeters(t)
				c.policy.OnAttempt = otelinsist.Metrics(meters)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				rt := &insist.RetryTransport{Base: play(c.steps...), Policy: c.policy}
				if resp, err := rt.RoundTrip(request(t, ctx, c.method)); err == nil {
					resp.Body.Close()
				}
				assert.ElementsMatch(t, c.want, meters.lines(t, "insist."))
			})
		})
	}
}

// spent is a budget without a retry left for the host.
func spent() *insist.Budget {
	budget := new(insist.Budget)
	policy := quick(nil)
	policy.Budget, policy.MaxAttempts = budget, 1000
	rt := &insist.RetryTransport{Base: play(503), Policy: policy}
	req, _ := http.NewRequest("GET", "http://x/", nil)
	rt.RoundTrip(req)
	return budget
}

func stop(*http.Request, *http.Response, error, int) insist.Decision {
	return insist.Decision{Verdict: insist.Stop}
}

// Of a function there is neither method nor host.
func TestMetricsOfFunctions(t *testing.T) {
	meters := newMeters(t)
	insist.Run(t.Context(), quick(otelinsist.Metrics(meters)), func(context.Context) error { return errors.New("secret") })
	assert.Equal(t, []string{
		"insist.attempts {type=*errors.errorString} 3",
		"insist.give_ups {reason=attempts_used_up} 1",
		"insist.retries {reason=error} 2",
		"insist.retry.wait {} 2 0s",
	}, meters.lines(t, "insist."))
}

// A Policy's Name is an attribute, of functions and of requests.
func TestMetricsOfNames(t *testing.T) {
	meters := newMeters(t)
	policy := quick(otelinsist.Metrics(meters))
	policy.Name = "search"
	insist.Run(t.Context(), policy, func(context.Context) error { return errors.New("secret") })
	rt := &insist.RetryTransport{Base: play(503, 200), Policy: policy}
	resp, err := rt.RoundTrip(request(t, t.Context(), "GET"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.ElementsMatch(t, []string{
		"insist.attempts {type=*errors.errorString name=search} 3",
		"insist.give_ups {name=search reason=attempts_used_up} 1",
		"insist.retries {name=search reason=error} 2",
		"insist.retry.wait {name=search} 2 0s",
		"insist.attempts {type=503 method=GET status_code=503 name=search address=x} 1",
		"insist.attempts {method=GET status_code=200 name=search address=x} 1",
		"insist.retries {method=GET name=search reason=status address=x} 1",
		"insist.retry.wait {method=GET name=search address=x} 1 0s",
	}, meters.lines(t, "insist."))
}

// A host's port is an attribute of its own.
func TestMetricsOfPorts(t *testing.T) {
	for _, c := range []struct{ host, want string }{
		{"x:8080", "insist.attempts {method=GET status_code=200 address=x port=8080} 1"},
		{"[::1]:8080", "insist.attempts {method=GET status_code=200 address=::1 port=8080} 1"},
		{"[::1]", "insist.attempts {method=GET status_code=200 address=::1} 1"},
	} {
		meters := newMeters(t)
		otelinsist.Metrics(meters)(t.Context(), insist.Attempt{
			Number: 1, Method: "GET", Host: c.host, Status: 200, Reason: insist.ReasonSuccess,
		})
		assert.Equal(t, []string{c.want}, meters.lines(t, "insist."))
	}
}

// A truncated body has a status and an error.
func TestMetricsOfBrokenBodies(t *testing.T) {
	meters := newMeters(t)
	otelinsist.Metrics(meters)(t.Context(), insist.Attempt{
		Number: 1, Status: 503, Err: io.ErrUnexpectedEOF, Reason: insist.ReasonAttempts,
	})
	assert.Equal(t, []string{
		"insist.attempts {type=unexpected_eof status_code=503} 1",
		"insist.give_ups {reason=attempts_used_up} 1",
	}, meters.lines(t, "insist."))
}

// An attempt that is reported again is counted once, and so is what follows.
func TestMetricsOfAmended(t *testing.T) {
	meters := newMeters(t)
	hook := otelinsist.Metrics(meters)
	hook(t.Context(), insist.Attempt{Number: 1, Status: 200, Reason: insist.ReasonSuccess})
	hook(t.Context(), insist.Attempt{Number: 1, Status: 200, Err: errReset, Retry: true, Reason: insist.ReasonError, Amended: true})
	assert.Equal(t, []string{
		"insist.attempts {status_code=200} 1",
		"insist.retries {reason=error} 1",
		"insist.retry.wait {} 1 0s",
	}, meters.lines(t, "insist."))
}

func TestMetricsInParallel(t *testing.T) {
	meters := newMeters(t)
	rt := &insist.RetryTransport{Base: play(503), Policy: quick(otelinsist.Metrics(meters))}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := rt.RoundTrip(request(t, t.Context(), "GET"))
			if assert.NoError(t, err) {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	assert.Contains(t, join(meters.lines(t, "insist.")), "insist.attempts {type=503 method=GET status_code=503 address=x} 60")
}

func TestGlobalProvider(t *testing.T) {
	meters := newMeters(t)
	otel.SetMeterProvider(meters)
	otelinsist.Metrics(nil)(t.Context(), insist.Attempt{Number: 1, Status: 200, Reason: insist.ReasonSuccess})
	assert.Len(t, meters.lines(t, "insist."), 1)
}
