package main

import (
	"context"
	"errors"
	"time"

	avast "github.com/avast/retry-go/v5"
	cenkalti "github.com/cenkalti/backoff/v7"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/seed-552c89fc/insist"
	sethvargo "github.com/sethvargo/go-retry"
)

var (
	errFlaky = errors.New("not yet")
	errValue = errors.New("a value that is not wanted")
)

// flaky is what a helper is to call: it fails fails times, then succeeds, and
// again. It allocates nothing.
type flaky struct{ fails, n int }

// call fails with an error.
func (f *flaky) call() (int, error) {
	if f.n++; f.n%(f.fails+1) != 0 {
		return 0, errFlaky
	}
	return 1, nil
}

// value fails with a value other than 1.
func (f *flaky) value() int {
	v, _ := f.call()
	return v
}

// helperRows compares what retries functions. No helper waits between attempts,
// each makes 3 at most, and what its documentation says may be shared is shared.
func helperRows() []row {
	return []row{
		{name: "success at once", jobs: errorJobs(0)},
		{name: "two errors, then success", jobs: errorJobs(2)},
		{name: "two values that a condition rejects, then one it accepts", jobs: valueJobs()},
	}
}

// must stops the run when a helper did not do what its row says.
func must(v int, err error) {
	if v != 1 || err != nil {
		panic(err)
	}
}

// errorJobs retries errors.
func errorJobs(fails int) []job {
	ctx, policy := context.Background(), insist.Policy{Backoff: insist.Constant(0)}
	var f [7]flaky
	for i := range f {
		f[i].fails = fails
	}
	wrapped := insist.Func(policy, func(_ context.Context, f *flaky) (int, error) { return f.call() })
	zero := new(cenkalti.ZeroBackOff)
	shared := avast.NewWithData[int](avast.Attempts(3), avast.Delay(0), avast.DelayType(avast.FixedDelay))
	executor := failsafe.With(retrypolicy.NewBuilder[int]().WithMaxAttempts(3).Build())
	return []job{
		{"insist.Do", func() {
			must(insist.Do(ctx, policy, func(context.Context) (int, error) { return f[0].call() }))
		}},
		{"insist.Run", func() {
			must(1, insist.Run(ctx, policy, func(context.Context) error {
				_, err := f[1].call()
				return err
			}))
		}},
		{"insist.Func", func() { must(wrapped(ctx, &f[2])) }},
		{"cenkalti", func() {
			must(cenkalti.Retry(ctx, f[3].call, cenkalti.WithBackOff(zero), cenkalti.WithMaxTries(3)))
		}},
		{"avast", func() { must(shared.Do(f[4].call)) }},
		{"sethvargo", func() {
			must(sethvargo.DoValue(ctx, noWait(), func(context.Context) (int, error) {
				v, err := f[5].call()
				return v, sethvargo.RetryableError(err)
			}))
		}},
		{"failsafe", func() { must(executor.Get(f[6].call)) }},
	}
}

// noWait is sethvargo's bound on attempts, which is spent with use, so that each
// call needs its own.
func noWait() sethvargo.Backoff {
	return sethvargo.WithMaxRetries(2, sethvargo.BackoffFunc(func() (time.Duration, bool) { return 0, false }))
}

// valueJobs retries values. Where a library has no condition on the value the
// function makes an error of it, as it would have to.
func valueJobs() []job {
	ctx, policy := context.Background(), insist.Policy{Backoff: insist.Constant(0)}
	var f [6]flaky
	for i := range f {
		f[i].fails = 2
	}
	rejected := func(v int) bool { return v != 1 }
	checked := func(f *flaky) (int, error) {
		if v := f.value(); !rejected(v) {
			return v, nil
		}
		return 0, errValue
	}
	wrapped := insist.Func(policy, func(_ context.Context, f *flaky) (int, error) { return f.value(), nil }, rejected)
	zero := new(cenkalti.ZeroBackOff)
	shared := avast.NewWithData[int](avast.Attempts(3), avast.Delay(0), avast.DelayType(avast.FixedDelay))
	executor := failsafe.With(retrypolicy.NewBuilder[int]().WithMaxAttempts(3).
		HandleIf(func(v int, err error) bool { return err != nil || rejected(v) }).Build())
	return []job{
		{"insist.Do", func() {
			must(insist.Do(ctx, policy, func(context.Context) (int, error) { return f[0].value(), nil }, rejected))
		}},
		{"insist.Func", func() { must(wrapped(ctx, &f[1])) }},
		{"cenkalti", func() {
			must(cenkalti.Retry(ctx, func() (int, error) { return checked(&f[2]) },
				cenkalti.WithBackOff(zero), cenkalti.WithMaxTries(3)))
		}},
		{"avast", func() { must(shared.Do(func() (int, error) { return checked(&f[3]) })) }},
		{"sethvargo", func() {
			must(sethvargo.DoValue(ctx, noWait(), func(context.Context) (int, error) {
				v, err := checked(&f[4])
				return v, sethvargo.RetryableError(err)
			}))
		}},
		{"failsafe", func() { must(executor.Get(func() (int, error) { return f[5].value(), nil })) }},
	}
}
