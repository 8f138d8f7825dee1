package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	avast "github.com/avast/retry-go/v5"
	cenkalti "github.com/cenkalti/backoff/v7"
	sethvargo "github.com/sethvargo/go-retry"

	"github.com/seed-552c89fc/insist"
)

type function = func(context.Context) (int, error)

// functions are the libraries of docs/from-backoff.md, each with 3
// attempts in all and the same wait between them.
var functions = []struct {
	name string
	do   func(ctx context.Context, wait time.Duration, fn function) (int, error)
	want fate
}{
	{"insist", func(ctx context.Context, wait time.Duration, fn function) (int, error) {
		return insist.Do(ctx, insist.Policy{Backoff: insist.Constant(wait)}, fn)
	}, fate{keepsValue: true, matchesCause: true, matchesLast: true, matchesCtx: true}},
	{"cenkalti/backoff", func(ctx context.Context, wait time.Duration, fn function) (int, error) {
		return cenkalti.Retry(ctx, func() (int, error) { return fn(ctx) },
			cenkalti.WithBackOff(cenkalti.NewConstantBackOff(wait)), cenkalti.WithMaxTries(3))
	}, fate{keepsValue: true, callsInEnded: 1, beginsWait: true, matchesCause: true, matchesLast: true}},
	{"avast/retry-go", func(ctx context.Context, wait time.Duration, fn function) (int, error) {
		return avast.NewWithData[int](avast.Context(ctx), avast.Attempts(3),
			avast.Delay(wait), avast.DelayType(avast.FixedDelay)).Do(func() (int, error) { return fn(ctx) })
	}, fate{beginsWait: true, matchesCause: true, matchesLast: true}},
	{"sethvargo/go-retry", func(ctx context.Context, wait time.Duration, fn function) (int, error) {
		return sethvargo.DoValue(ctx, sethvargo.WithMaxRetries(2, sethvargo.NewConstant(wait)), func(ctx context.Context) (int, error) {
			v, err := fn(ctx)
			return v, sethvargo.RetryableError(err)
		})
	}, fate{beginsWait: true, matchesCause: true}},
}

// fate is what becomes of a function that always fails.
type fate struct {
	keepsValue   bool // when attempts are used up, the last value is the caller's
	callsInEnded int  // that are made in a context that has ended
	beginsWait   bool // one that the context's deadline will cut off

	// What the error matches when the context is ended, with a cause, in a call.
	matchesCause, matchesLast, matchesCtx bool
}

// TestFunctions holds the table of docs/from-backoff.md against what the libraries
// do, in virtual time.
func TestFunctions(t *testing.T) {
	errCause := errors.New("the user went home")
	for _, l := range functions {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got fate
				fails := func(context.Context) (int, error) { return 7, errFlaky }
				v, _ := l.do(t.Context(), time.Second, fails)
				got.keepsValue = v == 7

				ended, cancel := context.WithCancel(t.Context())
				cancel()
				l.do(ended, time.Second, func(context.Context) (int, error) { got.callsInEnded++; return 0, errFlaky })

				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				l.do(soon, time.Minute, fails)
				got.beginsWait = time.Since(start) > 0

				ctx, end := context.WithCancelCause(t.Context())
				_, err := l.do(ctx, time.Second, func(context.Context) (int, error) { end(errCause); return 0, errFlaky })
				got.matchesCause, got.matchesLast = errors.Is(err, errCause), errors.Is(err, errFlaky)
				got.matchesCtx = errors.Is(err, ctx.Err())
				if got != l.want {
					t.Errorf("got  %+v\nwant %+v", got, l.want)
				}
			})
		})
	}
}
