package insist

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttempts(t *testing.T) {
	quick := Policy{Backoff: Constant(0)}
	byType := Policy{Backoff: Constant(0), RetryableError: ErrorAs[*typeError]}
	for _, c := range []struct {
		name   string
		policy Policy
		body   func(*Try) (stay bool)
		tries  int
		err    error
		reason Reason // of an *Error; "" for an error as it is
	}{
		{"no failure", quick, func(*Try) bool { return true }, 1, nil, ""},
		{"Fail(nil)", quick, func(try *Try) bool { try.Fail(nil); return true }, 1, nil, ""},
		{"good at the second", quick, func(try *Try) bool {
			if try.Number() == 1 {
				try.Fail(errLost)
			}
			return true
		}, 2, nil, ""},
		{"never good", quick, func(try *Try) bool { try.Fail(errLost); return true }, 3, errLost, ReasonAttempts},
		{"permanent", quick, func(try *Try) bool { try.Fail(Permanent(errLost)); return true }, 1, errLost, ""},
		{"not that type", byType, func(try *Try) bool { try.Fail(errLost); return true }, 1, errLost, ""},
		{"break", quick, func(*Try) bool { return false }, 1, nil, ""},
		{"break after a failure", quick, func(try *Try) bool { try.Fail(errLost); return false }, 1, errLost, ""},
		{"break at the second failure", quick, func(try *Try) bool { try.Fail(errLost); return try.Number() < 2 }, 2, errLost, ReasonDecision},
		{"the last report counts", quick, func(try *Try) bool { try.Fail(errors.New("x")); try.Fail(errLost); return true }, 3, errLost, ReasonAttempts},
		{"disabled", Policy{Disabled: true}, func(try *Try) bool { try.Fail(errLost); return true }, 1, errLost, ""},
		{"one attempt", Policy{MaxAttempts: 1}, func(try *Try) bool { try.Fail(errLost); return true }, 1, errLost, ""},
	} {
		tries, failed := Attempts(t.Context(), c.policy)
		for range 2 { // each range starts anew
			n := 0
			for try := range tries {
				n++
				assert.Equal(t, n, try.Number(), c.name)
				assert.Equal(t, t.Context(), try.Context(), c.name)
				if !c.body(try) {
					break
				}
			}
			assert.Equal(t, c.tries, n, c.name)
			err := failed()
			if c.err == nil {
				assert.NoError(t, err, c.name)
				continue
			}
			assert.ErrorIs(t, err, c.err, c.name)
			e, ok := errors.AsType[*Error](err)
			assert.Equal(t, c.reason != "", ok, c.name)
			if ok {
				assert.Equal(t, Error{Attempts: n, Reason: c.reason, Err: c.err}, *e, c.name)
			}
		}
	}
}

func TestAttemptsWaitAndHeedTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		ctx, record := WithRecord(ctx)
		start := time.Now()
		tries, failed := Attempts(ctx, Policy{})
		for try := range tries {
			try.Fail(errLost)
		}
		assert.Equal(t, 3*time.Second, time.Since(start))
		assert.ErrorIs(t, failed(), errLost)
		assert.ErrorIs(t, failed(), context.Canceled)
		require.Len(t, record.Calls()[0], 2)
		assert.Equal(t, ReasonContext, record.Calls()[0][1].Reason)

		tries, failed = Attempts(ctx, Policy{})
		for range tries {
			t.Error("an ended context makes no try")
		}
		assert.ErrorIs(t, failed(), context.Canceled)
	})
}

// TestACooldownOfAttempts: how long a try was held back is on record, and no part of its
// duration. The wait that an error asks for counts, also if the body then leaves the loop.
func TestACooldownOfAttempts(t *testing.T) {
	for _, leave := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := Policy{Name: "publish", MaxAttempts: 1, Cooldown: new(Cooldown)}
			fail := func() { // both times
				ctx, record := WithRecord(t.Context())
				start := time.Now()
				tries, failed := Attempts(ctx, p)
				for try := range tries {
					try.Fail(retryLater{10 * time.Second})
					time.Sleep(time.Second)
					if leave {
						break
					}
				}
				assert.Error(t, failed())
				a := record.Calls()[0][0]
				assert.Equal(t, time.Second, a.Duration)
				assert.Equal(t, time.Since(start), a.Held+a.Duration)
			}
			fail()
			start := time.Now()
			fail()
			assert.GreaterOrEqual(t, time.Since(start), 11*time.Second)
		})
	}
}

func TestAReturnFromTheBodyIsSuccess(t *testing.T) {
	ctx, record := WithRecord(t.Context())
	tries, failed := Attempts(ctx, Policy{Backoff: Constant(0)})
	find := func() int {
		for try := range tries {
			if try.Number() == 2 {
				return 42
			}
			try.Fail(errLost)
		}
		return 0
	}
	assert.Equal(t, 42, find())
	assert.NoError(t, failed())
	assert.Equal(t, ReasonSuccess, record.Calls()[0][1].Reason)
}

func TestPanicAndGoexitPassThroughAttempts(t *testing.T) {
	tries, failed := Attempts(t.Context(), Policy{Backoff: Constant(0)})
	assert.PanicsWithValue(t, "boom", func() {
		for range tries {
			panic("boom")
		}
	})
	assert.NoError(t, failed())
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		for range tries {
			runtime.Goexit()
		}
	}()
	<-exited
	for try := range tries { // nothing is left behind
		assert.Equal(t, 1, try.Number())
	}
}

// TestFailedWithinTheLoop: "return failed()" in the body must not turn a failure into
// success.
func TestFailedWithinTheLoop(t *testing.T) {
	call := func(p Policy, leaveAt int) error {
		tries, failed := Attempts(t.Context(), p)
		for try := range tries {
			assert.NoError(t, failed(), "nothing reported yet")
			if try.Fail(errLost); try.Number() == leaveAt {
				return failed()
			}
		}
		return failed()
	}
	assert.Equal(t, errLost, call(Policy{Backoff: Constant(0)}, 1))
	err := call(Policy{Backoff: Constant(0)}, 2)
	assert.ErrorIs(t, err, errLost)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 2, e.Attempts)
	assert.Equal(t, errLost, call(Policy{Disabled: true}, 1))
}

// A body that panics, or ends its goroutine, has not undone what it reported.
func TestFailedAfterAPanic(t *testing.T) {
	for _, p := range []Policy{{Backoff: Constant(0)}, {Disabled: true}, {Backoff: Constant(0), PerAttemptTimeout: time.Hour}} {
		tries, failed := Attempts(t.Context(), p)
		assert.Panics(t, func() {
			for try := range tries {
				try.Fail(errLost)
				if p.Disabled || try.Number() == 2 {
					panic("body")
				}
			}
		})
		assert.ErrorIs(t, failed(), errLost)
		for range tries {
		}
		assert.NoError(t, failed(), "each range starts anew")
	}
}

// A range over tries within the body of another one leaves that alone.
func TestAttemptsWithinAttempts(t *testing.T) {
	tries, failed := Attempts(t.Context(), Policy{Backoff: Constant(0)})
	outer, inner := 0, 0
	for try := range tries {
		outer++
		try.Fail(errLost)
		for range tries {
			inner++
		}
		assert.ErrorIs(t, failed(), errLost)
	}
	assert.ErrorIs(t, failed(), errLost)
	assert.Equal(t, 3, outer)
	assert.Equal(t, 3, inner)
}
