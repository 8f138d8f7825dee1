package insist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type typeError struct{ name string }

func (e *typeError) Error() string { return e.name }

type resp struct{ RetCode int }

func nonZero(r resp) bool { return r.RetCode != 0 }

// play returns a function that plays the steps, and the last one for ever.
func play[T any](steps ...func() (T, error)) (func(context.Context) (T, error), *int) {
	n := new(int)
	return func(context.Context) (T, error) {
		*n++
		return steps[min(*n, len(steps))-1]()
	}, n
}

func gives(code int, err error) func() (resp, error) {
	return func() (resp, error) { return resp{code}, err }
}

// TestWhichFailuresAreTriedAgain is aomaker's rule: neither condition, every
// error; a condition on the result only, no error; both, either one.
func TestWhichFailuresAreTriedAgain(t *testing.T) {
	te, other := &typeError{"te"}, errors.New("other")
	byType := Policy{Backoff: Constant(0), RetryableError: ErrorAs[*typeError]}
	none := Policy{Backoff: Constant(0)}
	for _, c := range []struct {
		name      string
		policy    Policy
		condition []func(resp) bool
		first     func() (resp, error)
		calls     int
	}{
		{"neither: an error", none, nil, gives(0, other), 3},
		{"neither: a permanent error", none, nil, gives(0, Permanent(other)), 1},
		{"neither: any value is fine", none, nil, gives(5, nil), 1},
		{"result: a bad value", none, []func(resp) bool{nonZero}, gives(5, nil), 3},
		{"result: an error", none, []func(resp) bool{nonZero}, gives(0, other), 1},
		{"result: an error and a bad value", none, []func(resp) bool{nonZero}, gives(5, other), 1},
		{"type: that error", byType, nil, gives(0, te), 3},
		{"type: that error, wrapped", byType, nil, gives(0, errors.Join(other, te)), 3},
		{"type: another error", byType, nil, gives(0, other), 1},
		{"type: permanent", byType, nil, gives(0, Permanent(te)), 1},
		{"both: a bad value", byType, []func(resp) bool{nonZero}, gives(5, nil), 3},
		{"both: that error", byType, []func(resp) bool{nonZero}, gives(0, te), 3},
		{"both: another error", byType, []func(resp) bool{nonZero}, gives(5, other), 1},
		{"two conditions", none, []func(resp) bool{nonZero, func(r resp) bool { return r.RetCode == 0 }}, gives(0, nil), 3},
		{"nil is no condition: an error", none, []func(resp) bool{nil}, gives(0, other), 3},
		{"nil is no condition: a value", none, []func(resp) bool{nil}, gives(5, nil), 1},
		{"one call", Policy{MaxAttempts: 1}, nil, gives(0, other), 1},
		{"disabled", Policy{Disabled: true}, []func(resp) bool{nonZero}, gives(5, nil), 1},
	} {
		for way, edit := range map[string]func(*Policy){
			"Do": func(*Policy) {}, "Func": func(*Policy) {}, "Do, reported": func(p *Policy) { p.OnAttempt = func(context.Context, Attempt) {} },
			"Do, timed": func(p *Policy) { p.PerAttemptTimeout = time.Hour }, "Func, bounded": func(p *Policy) { p.MaxElapsed = time.Hour },
		} {
			name := way + " " + c.name
			p := c.policy
			edit(&p)
			fn, calls := play(c.first)
			v, err := resp{}, error(nil)
			if strings.HasPrefix(way, "Do") {
				v, err = Do(t.Context(), p, fn, c.condition...)
			} else {
				v, err = Func(p, func(ctx context.Context, _ int) (resp, error) { return fn(ctx) }, c.condition...)(t.Context(), 1)
			}
			wantV, wantErr := c.first()
			assert.Equal(t, c.calls, *calls, name)
			assert.Equal(t, wantV, v, name)
			if wantErr != nil {
				assert.ErrorIs(t, err, wantErr, name)
			}
			e, ok := errors.AsType[*Error](err)
			assert.Equal(t, *calls > 1 && err != nil, ok, name)
			if ok {
				assert.Equal(t, *calls, e.Attempts, name)
				assert.Equal(t, ReasonAttempts, e.Reason, name)
			}
		}
	}
}

func TestDoReturnsTheFirstGoodValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fn, calls := play(gives(0, errLost), gives(7, nil), gives(0, nil))
		v, err := Do(t.Context(), Policy{RetryableError: ErrorAs[error]}, fn, nonZero)
		require.NoError(t, err)
		assert.Equal(t, resp{0}, v)
		assert.Equal(t, 3, *calls)
		assert.Equal(t, 4*time.Second, time.Since(start))
	})
}

func TestARejectedValueComesWithAnError(t *testing.T) {
	fn, _ := play(gives(5000, nil))
	v, err := Do(t.Context(), Policy{MaxAttempts: 1}, fn, nonZero)
	assert.Equal(t, resp{5000}, v)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "also after one attempt")
	assert.Equal(t, 1, e.Attempts)
	assert.Equal(t, "insist: gave up after 1 attempt: the last value was rejected", err.Error())

	v, err = Do(t.Context(), Policy{Disabled: true}, fn, nonZero)
	assert.Equal(t, resp{5000}, v)
	assert.NoError(t, err, "disabled: as if there were no Do")
}

func TestAnErrorMaySetTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fn, _ := play(gives(0, retryLater{9 * time.Second}), gives(0, nil))
		_, err := Do(t.Context(), Policy{}, fn)
		require.NoError(t, err)
		assert.Equal(t, 9*time.Second, time.Since(start))

		fn, calls := play(gives(0, retryLater{time.Hour}), gives(0, nil))
		_, err = Do(t.Context(), Policy{}, fn)
		assert.Equal(t, retryLater{time.Hour}, err)
		assert.Equal(t, 1, *calls)
	})
}

func TestDoAndItsContext(t *testing.T) {
	cause := errors.New("the user went home")
	t.Run("ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		fn, calls := play(gives(0, nil))
		_, err := Do(ctx, Policy{}, fn)
		assert.Zero(t, *calls)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("ends during a call", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := Do(ctx, Policy{}, func(context.Context) (int, error) { cancel(cause); return 0, errLost })
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, errLost)
		e, _ := errors.AsType[*Error](err)
		assert.Equal(t, ReasonContext, e.Reason)
		assert.Equal(t, 1, e.Attempts)
	})
	t.Run("ends during a good call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := Do(ctx, Policy{}, func(context.Context) (int, error) { cancel(); return 7, nil })
		assert.Equal(t, 7, v)
		assert.NoError(t, err)
	})
	t.Run("ends during a wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, cause)
			defer cancel()
			start := time.Now()
			time.AfterFunc(time.Second, cancel)
			v, err := Do(ctx, Policy{}, func(context.Context) (int, error) { return 7, errLost })
			assert.Equal(t, 7, v)
			assert.Equal(t, time.Second, time.Since(start))
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, errLost)
		})
	})
	t.Run("deadline too near", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			fn, calls := play(gives(0, errLost))
			_, err := Do(ctx, Policy{}, fn)
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			assert.Equal(t, ReasonWait, e.Reason)
			assert.Equal(t, 2, *calls)
			assert.Equal(t, 2*time.Second, time.Since(start))
		})
	})
}

func TestDoTellsHookAndRecord(t *testing.T) {
	ctx, record := WithRecord(t.Context())
	var told []Attempt
	p := Policy{Backoff: Constant(0), RetryableError: ErrorAs[error], OnAttempt: func(_ context.Context, a Attempt) {
		a.Duration = 0
		told = append(told, a)
	}}
	fn, _ := play(gives(0, errLost), gives(5, nil), gives(0, nil))
	_, err := Do(ctx, p, fn, nonZero)
	require.NoError(t, err)
	assert.Equal(t, []Attempt{
		{Number: 1, Err: errLost, Retry: true, Reason: ReasonError},
		{Number: 2, Retry: true, Reason: ReasonCondition},
		{Number: 3, Reason: ReasonSuccess},
	}, told)
	assert.Len(t, record.Calls()[0], 3)
}

func TestRun(t *testing.T) {
	n := 0
	err := Run(t.Context(), Policy{Backoff: Constant(0)}, func(context.Context) error {
		if n++; n < 3 {
			return errLost
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 3, n)
}

type store struct{ fails int }

func (s *store) Get(_ context.Context, id int) (string, error) {
	if s.fails--; s.fails >= 0 {
		return "", errLost
	}
	return "item " + strconv.Itoa(id), nil
}

func TestFuncKeepsTheType(t *testing.T) {
	s := &store{fails: 2}
	var get func(context.Context, int) (string, error) = Func(Policy{Backoff: Constant(0)}, s.Get)
	for range 2 { // a Func is used again and again
		v, err := get(t.Context(), 7)
		require.NoError(t, err)
		assert.Equal(t, "item 7", v)
		s.fails = 2
	}
	get = Func(Policy{Backoff: Constant(0)}, s.Get, func(v string) bool { return v == "" })
	_, err := get(t.Context(), 7)
	assert.True(t, err == errLost, "with a condition on the result, errors are not retried")
}

func TestPanicAndGoexitPassThroughDo(t *testing.T) {
	assert.PanicsWithValue(t, "boom", func() {
		Run(t.Context(), Policy{}, func(context.Context) error { panic("boom") })
	})
	assert.PanicsWithValue(t, "boom", func() {
		Do(t.Context(), Policy{}, func(context.Context) (int, error) { return 0, nil }, func(int) bool { panic("boom") })
	})
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		Run(t.Context(), Policy{}, func(context.Context) error { runtime.Goexit(); return nil })
		t.Error("went on after Goexit")
	}()
	<-exited
}

// respBody is the body of a response that a function returns.
type respBody struct {
	io.Reader
	closed bool
}

func (b *respBody) Close() error { b.closed = true; return nil }

// TestDoClosesTheResponsesThatItReplaces; the last one is the caller's.
func TestDoClosesTheResponsesThatItReplaces(t *testing.T) {
	failed := func(r *http.Response) bool { return r.StatusCode > 400 }
	for name, p := range map[string]Policy{
		"plain": {Backoff: Constant(0)}, "timed": {Backoff: Constant(0), PerAttemptTimeout: time.Hour},
	} {
		for _, last := range []int{200, 503} {
			var bodies []*respBody
			resp, err := Do(t.Context(), p, func(context.Context) (*http.Response, error) {
				body := &respBody{Reader: strings.NewReader("hello")}
				bodies = append(bodies, body)
				if len(bodies) < 3 {
					return &http.Response{StatusCode: 503, Body: body}, nil
				}
				return &http.Response{StatusCode: last, Body: body}, nil
			}, failed, nil)
			assert.Equal(t, last > 400, err != nil, name)
			require.Len(t, bodies, 3, name)
			assert.True(t, bodies[0].closed && bodies[1].closed, name)
			assert.False(t, bodies[2].closed, name)
			assert.Equal(t, "hello", text(t, resp), name)
			resp.Body.Close()
		}
	}
	resp, err := Do(t.Context(), Policy{Backoff: Constant(0)}, func(context.Context) (*http.Response, error) { return nil, errLost })
	assert.ErrorIs(t, err, errLost)
	assert.Nil(t, resp)
}

// TestAResponseThatComesTooLateIsATimeout: its body has ended with the context.
func TestAResponseThatComesTooLateIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, late := 0, &respBody{Reader: strings.NewReader("dead")}
		resp, err := Do(t.Context(), Policy{PerAttemptTimeout: time.Second, Backoff: Constant(0)}, func(context.Context) (*http.Response, error) {
			if n++; n == 1 {
				time.Sleep(2 * time.Second)
				return &http.Response{StatusCode: 200, Body: late}, nil
			}
			return &http.Response{StatusCode: 201, Body: http.NoBody}, nil
		})
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
		assert.True(t, late.closed)
	})
}

// A condition that reads a body sees another one, if it is asked again.
func TestAConditionIsAskedOnceAboutEachValue(t *testing.T) {
	answer := func(context.Context) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: &respBody{Reader: strings.NewReader("failed")}}, nil
	}
	for name, p := range map[string]Policy{
		"plain": {Backoff: Constant(0)}, "with a hook": {Backoff: Constant(0), OnAttempt: func(context.Context, Attempt) {}},
	} {
		asked := 0
		failed := func(r *http.Response) bool { asked++; return text(t, r) == "failed" }
		_, err := Do(t.Context(), p, answer, failed)
		assert.Error(t, err, name)
		assert.Equal(t, 3, asked, name)
		asked = 0
		_, err = Func(p, func(ctx context.Context, _ int) (*http.Response, error) { return answer(ctx) }, failed)(t.Context(), 0)
		assert.Error(t, err, name)
		assert.Equal(t, 3, asked, name)
	}
}

// The body of a 101 is the connection, to write to, also with a time limit.
func TestAnUpgradeThroughDo(t *testing.T) {
	conn := struct {
		io.ReadWriter
		io.Closer
	}{new(bytes.Buffer), io.NopCloser(nil)}
	resp, err := Do(t.Context(), Policy{PerAttemptTimeout: time.Hour}, func(context.Context) (*http.Response, error) {
		return &http.Response{StatusCode: 101, Body: conn}, nil
	})
	require.NoError(t, err)
	assert.Implements(t, (*io.ReadWriteCloser)(nil), resp.Body)
}

// TestAPanicInAHookOfDoClosesTheResponse, since the caller won't have it.
func TestAPanicInAHookOfDoClosesTheResponse(t *testing.T) {
	at := func(n int) func() { // panics when it is called for the n-th time
		return func() {
			if n--; n == 0 {
				panic("hook")
			}
		}
	}
	for name, hooks := range map[string]func(p *Policy) (failed func(*http.Response) bool){
		"condition": func(*Policy) func(*http.Response) bool {
			h := at(1)
			return func(*http.Response) bool { h(); return true }
		},
		"condition, later": func(*Policy) func(*http.Response) bool {
			h := at(2)
			return func(*http.Response) bool { h(); return true }
		},
		"OnAttempt": func(p *Policy) func(*http.Response) bool {
			h := at(2)
			p.OnAttempt = func(context.Context, Attempt) { h() }
			return func(*http.Response) bool { return true }
		},
		"Backoff": func(p *Policy) func(*http.Response) bool {
			h := at(1)
			p.Backoff = func(int) time.Duration { h(); return 0 }
			return func(*http.Response) bool { return true }
		},
	} {
		p := Policy{Backoff: Constant(0)}
		failed := hooks(&p)
		var bodies []*closes
		assert.PanicsWithValue(t, "hook", func() {
			Do(t.Context(), p, func(context.Context) (*http.Response, error) {
				bodies = append(bodies, &closes{Reader: strings.NewReader("x")})
				return &http.Response{StatusCode: 503, Body: bodies[len(bodies)-1]}, nil
			}, failed)
		}, name)
		for _, b := range bodies {
			assert.Equal(t, 1, b.n, name)
		}
	}
}

// TestATimedFunctionSeesADeadline, and its timeout is no cancellation.
func TestATimedFunctionSeesADeadline(t *testing.T) {
	for name, result := range map[string]func(context.Context) error{
		"ctx.Err":       func(ctx context.Context) error { return ctx.Err() },
		"context.Cause": context.Cause,
		"wrapped":       func(ctx context.Context) error { return fmt.Errorf("query: %w", ctx.Err()) },
		"canceled":      func(context.Context) error { return fmt.Errorf("driver: %w", context.Canceled) },
		"another":       func(context.Context) error { return errLost },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := Policy{MaxAttempts: 1, PerAttemptTimeout: time.Second}
			query := func(ctx context.Context) error {
				deadline, ok := ctx.Deadline()
				assert.True(t, ok && time.Until(deadline) == time.Second, name)
				<-ctx.Done()
				assert.Equal(t, context.DeadlineExceeded, ctx.Err(), name)
				return result(ctx)
			}
			tries, failed := Attempts(t.Context(), p)
			for try := range tries {
				try.Fail(query(try.Context()))
			}
			for _, err := range []error{Run(t.Context(), p, query), failed()} {
				assert.ErrorIs(t, err, context.DeadlineExceeded, name)
				assert.NotErrorIs(t, err, context.Canceled, name)
				assert.NotContains(t, err.Error(), "\n", name)
				if name == "another" {
					assert.ErrorIs(t, err, errLost)
				}
			}
		})
	}
}
