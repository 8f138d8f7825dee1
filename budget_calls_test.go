package insist

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// send makes a GET and returns the reason for which it ended.
func send(t *testing.T, rt *RetryTransport, url string) Reason {
	t.Helper()
	ctx, record := WithRecord(t.Context())
	_, err := rt.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
	require.NoError(t, err)
	attempts := record.Calls()[0]
	return attempts[len(attempts)-1].Reason
}

func TestABudgetEndsRetriesAndSuccessesFeedIt(t *testing.T) {
	down := func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/bad" {
			return answer(503), nil
		}
		return answer(200), nil
	}
	p := Policy{Backoff: Constant(0), Budget: &Budget{Reserve: 3, PerSuccess: 0.5}}
	rt := &RetryTransport{Base: roundTripper(down), Policy: p}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/bad"), "two of three retries")
	assert.Equal(t, ReasonBudget, send(t, rt, "http://x/bad"), "the third")
	assert.Equal(t, ReasonBudget, send(t, rt, "http://x/bad"))
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://y/bad"), "another host has its own")
	for range 8 {
		assert.Equal(t, ReasonSuccess, send(t, rt, "http://x/good"))
	}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/bad"), "the successes pay for it")

	// Functions have a bucket of their own, shared through the same pointer.
	fail := func(context.Context) error { return errLost }
	last := func() Reason {
		e, _ := errors.AsType[*Error](Run(t.Context(), p, fail))
		if e == nil {
			return ""
		}
		return e.Reason
	}
	assert.Equal(t, ReasonAttempts, last())
	assert.Equal(t, ReasonBudget, last())
	assert.Empty(t, last(), "a single attempt's error is as it is")
	for range 8 {
		require.NoError(t, Run(t.Context(), p, func(context.Context) error { return nil }))
	}
	assert.Equal(t, ReasonAttempts, last())
}

func TestWhatFeedsABudget(t *testing.T) {
	keep := func(*http.Request, *http.Response, error, int) Decision { return Decision{Verdict: Stop} }
	for _, c := range []struct {
		name   string
		policy Policy
		step   step
		want   bool
	}{
		{"200", Policy{}, status(200), true},
		{"404, if that is an answer", Standard(), status(404), true},
		{"503", Policy{MaxAttempts: 1}, status(503), false},
		{"200 that Classify keeps", Policy{Classify: keep}, status(200), true},
		{"503 that Classify keeps", Policy{Classify: keep}, status(503), false},
		{"503 that the server keeps", Policy{}, status(503, "X-Should-Retry", "false"), false},
		{"a business error", Policy{MaxAttempts: 1, RetryableBody: JSONFieldNot("/c", 0)}, content(`{"c": 1}`), false},
		{"an error", Policy{MaxAttempts: 1}, fails(errLost), false},
	} {
		c.policy.Budget = &Budget{Reserve: -1, PerSuccess: 1}
		(&RetryTransport{Base: script(c.step), Policy: c.policy}).RoundTrip(request(t, "GET", "http://x/", nil))
		assert.Equal(t, c.want, c.policy.Budget.withdraw("x", time.Now()), c.name)
	}
}

func TestStandardsBudgetIsSharedByItsCopies(t *testing.T) {
	p := Standard()
	require.NotNil(t, p.Budget)
	assert.NotSame(t, p.Budget, Standard().Budget)
	p.Backoff, p.Budget.Reserve, p.Budget.PerSuccess = Constant(0), 2, -1
	b := script(status(503))
	rt := &RetryTransport{Base: b, Policy: p}
	assert.Equal(t, ReasonAttempts, send(t, rt, "http://x/"))
	assert.Equal(t, ReasonBudget, send(t, &RetryTransport{Base: b, Policy: p}, "http://x/"))

	// An edit to Standard doesn't give one request a budget of its own.
	for _, c := range []struct {
		edit func(*Policy)
		want int
	}{
		{func(p *Policy) { *p = Standard(); p.Backoff = Constant(0) }, 1},
		{func(p *Policy) { p.Budget = nil }, 3},
		{func(p *Policy) { p.Budget = new(Budget) }, 3},
	} {
		before := len(b.Arrivals())
		ctx := EditPolicy(t.Context(), c.edit)
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, c.want, len(b.Arrivals())-before)
	}
}
