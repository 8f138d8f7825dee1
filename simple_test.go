package insist

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASimpleRequestInAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := script(status(200))
	_, err := (&RetryTransport{Base: b}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
	assert.ErrorIs(t, err, context.Canceled)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, ReasonContext, e.Reason)
	assert.Zero(t, e.Attempts)
	assert.Empty(t, b.Arrivals())
}

// A success at once pays into the budget, also on the short way: of a budget
// without a reserve the retry of the next request can be paid.
func TestASimpleSuccessFeedsTheBudget(t *testing.T) {
	for _, c := range []struct {
		successes, hits int
	}{{0, 1}, {1, 3}} {
		steps := []step{status(503), status(200)}
		if c.successes > 0 {
			steps = append([]step{status(200)}, steps...)
		}
		b := script(steps...)
		rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0), Budget: &Budget{Reserve: -1, PerSuccess: 1}}}
		for range c.successes + 1 {
			_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
		}
		assert.Len(t, b.Arrivals(), c.hits)
	}
}
