package insist

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// sameAttempts are policies that change how an attempt is made, but not which are made. The first
// one takes the fast path, if the request allows that.
var sameAttempts = []struct {
	name string
	edit func(*Policy)
}{
	{"plain", func(*Policy) {}},
	{"reported", func(p *Policy) { p.OnAttempt = func(context.Context, Attempt) {} }},
	{"timed", func(p *Policy) { p.PerAttemptTimeout = time.Hour }},
	{"hedged", func(p *Policy) { p.Hedge = &Hedge{Delay: time.Hour} }},
	{"whole", func(p *Policy) { p.MaxWholeBytes = 100 }},
	{"looked into", func(p *Policy) { p.RetryableBody = JSONField[any]("/error", nil) }},
	{"bounded", func(p *Policy) { p.MaxElapsed, p.BodyIdleTimeout = time.Hour, time.Hour }},
	{"prepared", func(p *Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { return nil } }},
	{"budget", func(p *Policy) { p.Budget = new(Budget) }},
}

// TestEachWayMakesTheSameAttempts, for random requests, policies, and results of the base.
func TestEachWayMakesTheSameAttempts(t *testing.T) {
	for seed := range uint64(500) {
		var plain string
		for _, w := range sameAttempts {
			synctest.Test(t, func(t *testing.T) {
				got := callByChance(t, rand.New(rand.NewPCG(seed, 1)), w.edit)
				if plain == "" {
					plain = got
				}
				require.Equal(t, plain, got, "%s, seed %d", w.name, seed)
			})
		}
	}
}

// callByChance makes a random call, and says what came of it.
func callByChance(t *testing.T, r *rand.Rand, edit func(*Policy)) string {
	p := Policy{MaxAttempts: r.IntN(5) - 1, NonIdempotent: Resend(r.IntN(3)), Backoff: Constant(time.Second)}
	if r.IntN(3) == 0 {
		p.RetryableStatus = StatusAbove(499)
	}
	edit(&p)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req := request(t, oneOf(r, "GET", "PUT", "POST", "HEAD"), oneOf(r, "http", "https")+"://x/", nil).WithContext(ctx)
	if kinds := slices.Sorted(maps.Keys(servertest.Bodies)); r.IntN(2) == 0 {
		servertest.Bodies[oneOf(r, kinds...)](req, "hello")
	}
	for _, header := range []string{"Idempotency-Key", "Expect"} {
		if r.IntN(4) == 0 {
			req.Header.Set(header, "100-continue")
		}
	}
	var steps []step
	for range 1 + r.IntN(5) {
		steps = append(steps, resultByChance(r))
	}
	b, start := script(steps...), time.Now()
	resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(req)
	got := fmt.Sprintln(err, time.Since(start))
	for _, a := range b.Arrivals() {
		got += fmt.Sprintf("%s %q %v\n", a.Method, a.Body, a.Header)
	}
	if resp != nil {
		got += fmt.Sprintln(resp.StatusCode, text(t, resp))
		resp.Body.Close()
	}
	for _, body := range b.Bodies() {
		got += fmt.Sprint(body.Closes() > 0)
	}
	return got
}

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func resultByChance(r *rand.Rand) step {
	if r.IntN(3) == 0 {
		return fails(oneOf[error](r, errLost, servertest.ErrUnsent, Permanent(errLost), http.ErrSchemeMismatch,
			context.DeadlineExceeded, retryLater{time.Second}, &Error{Reason: ReasonAttempts}))
	}
	code := oneOf(r, 200, 200, 204, 304, 400, 401, 404, 408, 413, 417, 421, 425, 429, 500, 503, 521, 529)
	return status(code, oneOf(r, nil, nil, []string{"Retry-After", "2"}, []string{"Retry-After", "100"},
		[]string{"X-Should-Retry", "true"}, []string{"X-Should-Retry", "false"}, []string{"Retry-After-Ms", "50"})...)
}
