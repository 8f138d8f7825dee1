package insist

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbers of v's exported fields, of what its pointers to structs point to as well.
func numbersOf(v reflect.Value, path string, yield func(string, reflect.Value)) {
	for i := range v.NumField() {
		f, field := v.Field(i), v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		switch f.Kind() {
		case reflect.Int, reflect.Int64, reflect.Float64:
			yield(path+field.Name, f)
		case reflect.Pointer:
			if f.Type().Elem().Kind() == reflect.Struct && !f.IsNil() {
				numbersOf(f.Elem(), path+field.Name+".", yield)
			}
		}
	}
}

// ends are the values of a number's type that arithmetic goes wrong with.
func ends(f reflect.Value) []any {
	switch f.Kind() {
	case reflect.Float64:
		return []any{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -1.0, 0.0, math.SmallestNonzeroFloat64}
	case reflect.Int:
		return []any{math.MinInt, math.MinInt + 1, -1, 0, 1, math.MaxInt - 1, math.MaxInt}
	}
	return []any{int64(math.MinInt64), int64(math.MinInt64 + 1), int64(-1), int64(0), int64(1), int64(math.MaxInt64 - 1), int64(math.MaxInt64)}
}

// TestNoValueOfAnyFieldPanics, nor hangs beyond the context, nor loses a response.
func TestNoValueOfAnyFieldPanics(t *testing.T) {
	everything := func() *Policy {
		p := Standard()
		p.Name = "call"
		p.Cooldown = new(Cooldown)
		p.RetryableBody = JSONFieldNot("/ok", true)
		p.RetryableEvent = JSONFieldNot("/ok", true)
		p.MaxWholeBytes, p.ResumeDownloads = 1000, true
		p.BodyIdleTimeout, p.PerAttemptTimeout, p.MaxElapsed = time.Minute, time.Minute, time.Hour
		p.IdempotencyKey = func(*http.Request) string { return "key" }
		return &p
	}
	names := []string{}
	numbersOf(reflect.ValueOf(everything()).Elem(), "", func(name string, _ reflect.Value) { names = append(names, name) })
	assert.Greater(t, len(names), 12)
	for _, name := range names {
		for i := range 7 {
			synctest.Test(t, func(t *testing.T) {
				p, what := everything(), name
				numbersOf(reflect.ValueOf(p).Elem(), "", func(found string, f reflect.Value) {
					if found == name {
						v := reflect.ValueOf(ends(f)[i])
						f.Set(v.Convert(f.Type()))
						what = fmt.Sprint(name, "=", v)
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				assert.NotPanics(t, func() { callsOf(t, ctx, *p) }, what)
			})
		}
	}
}

// TestTheLargestValuesAreNoBounds: math.MaxInt64 is what users write for none.
func TestTheLargestValuesAreNoBounds(t *testing.T) {
	const most = math.MaxInt64
	for _, hedge := range []*Hedge{nil, {Delay: most}, {MinDelay: most, Extra: math.MaxInt}} {
		synctest.Test(t, func(t *testing.T) {
			p := Policy{
				MaxAttempts: math.MaxInt, Backoff: Exponential(time.Second, most), MaxRetryAfter: most, MaxElapsed: most,
				PerAttemptTimeout: most, BodyIdleTimeout: most, MaxReplayBytes: most, MaxPeekBytes: most, MaxPeekTime: most,
				MaxWholeBytes: most, ResumeDownloads: true, RetryableBody: JSONFieldNot("/ok", true), Hedge: hedge,
				Budget: &Budget{PerSuccess: math.MaxFloat64, Reserve: math.MaxInt, Burst: most}, Cooldown: &Cooldown{Spread: most},
			}
			b := script(status(500, "Retry-After", "100000"), fails(errLost), jsonBody(`{"ok": false}`), jsonBody(`{"ok": true}`))
			resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "PUT", "http://x/", io.MultiReader(strings.NewReader("hello"))))
			require.NoError(t, err)
			assert.Equal(t, `{"ok": true}`, text(t, resp))
			resp.Body.Close()
			require.Len(t, b.Arrivals(), 4)
			for _, a := range b.Arrivals() {
				assert.Equal(t, "hello", string(a.Body))
			}
			calls := 0
			assert.NoError(t, Run(t.Context(), p, func(context.Context) error {
				if calls++; calls < 4 {
					return retryLater{time.Hour}
				}
				return nil
			}))
			assert.Equal(t, 4, calls)
		})
	}
}

// TestNoValueOfAHedgePanics, whether the delay is set or measured, nor takes longer than
// without a hedge.
func TestNoValueOfAHedgePanics(t *testing.T) {
	names := []string{}
	numbersOf(reflect.ValueOf(new(Hedge)).Elem(), "", func(name string, _ reflect.Value) { names = append(names, name) })
	assert.Len(t, names, 4)
	for _, name := range names {
		for i := range 7 {
			for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
				synctest.Test(t, func(t *testing.T) {
					h, what := &Hedge{Delay: delay}, ""
					f := reflect.ValueOf(h).Elem().FieldByName(name)
					v := reflect.ValueOf(ends(f)[i])
					f.Set(v.Convert(f.Type()))
					what = fmt.Sprint(name, "=", v)
					var open openBodies
					var n atomic.Int32
					rt := &RetryTransport{Policy: Policy{MaxAttempts: -1, Backoff: Constant(0), Budget: new(Budget), Hedge: h}}
					rt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
						takes := time.Millisecond
						if n.Add(1)%50 == 0 {
							takes = time.Second
						}
						return open.after(takes, status(200))(r)
					})
					for range 200 {
						start := time.Now()
						assert.NotPanics(t, func() {
							resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil))
							assert.NoError(t, err, what)
							resp.Body.Close()
						}, what)
						assert.LessOrEqual(t, time.Since(start), time.Second, what)
					}
					synctest.Wait()
					assert.Zero(t, open.open.Load(), what)
				})
			}
		}
	}
}

// TestNothingThatACallbackReturnsPanics.
func TestNothingThatACallbackReturnsPanics(t *testing.T) {
	for _, d := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64} {
		for name, set := range map[string]func(*Policy){
			"Backoff": func(p *Policy) { p.Backoff = func(int) time.Duration { return d } },
			"Classify": func(p *Policy) {
				p.Classify = func(_ *http.Request, r *http.Response, err error, _ int) Decision {
					return Decision{Verdict: Verdict(d), Wait: d}
				}
			},
			"RetryableBody": func(p *Policy) {
				p.RetryableBody = func(*http.Request, *http.Response, int, io.Reader) Decision { return Decision{Retry, d} }
			},
			"RetryAfter": func(p *Policy) {
				p.Classify = func(_ *http.Request, r *http.Response, err error, _ int) Decision { return Decision{Wait: d} }
			},
			"Constant":      func(p *Policy) { p.Backoff = Constant(d) },
			"Exponential":   func(p *Policy) { p.Backoff = Exponential(d, d) },
			"no limit":      func(p *Policy) { p.Backoff, p.MaxRetryAfter, p.RetryAfterJitter = Exponential(d, -1), math.MaxInt64, d },
			"NonIdempotent": func(p *Policy) { p.NonIdempotent = Resend(d) },
		} {
			synctest.Test(t, func(t *testing.T) {
				p := Policy{MaxAttempts: 4, Backoff: Constant(0), Cooldown: new(Cooldown), Budget: new(Budget), Name: "call"}
				set(&p)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				assert.NotPanics(t, func() { callsOf(t, ctx, p) }, "%s %d", name, d)
			})
		}
	}
}

// callsOf makes calls of each kind under p. All of them end, with a result.
func callsOf(t *testing.T, ctx context.Context, p Policy) {
	json := func(body string, headers ...string) step {
		return func(r *http.Request) (*http.Response, error) {
			resp := response(200, append(headers, "Content-Type", "application/json")...)
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			return resp, nil
		}
	}
	for _, method := range []string{"GET", "PUT", "POST"} {
		for _, body := range []io.Reader{nil, strings.NewReader("hello"), io.MultiReader(strings.NewReader("hello"))} {
			b := script(status(503, "Retry-After", "1"), fails(errLost), json(`{"ok": false}`), events("text/event-stream", "data: {}\n\n"),
				json(`{"ok": true}`, "Etag", `"x"`, "Accept-Ranges", "bytes"))
			resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, method, "http://x/", body).WithContext(ctx))
			assert.NotEqual(t, resp == nil, err == nil)
			if resp != nil {
				io.ReadAll(resp.Body)
				resp.Body.Close()
			}
		}
	}
	n := 0
	Do(ctx, p, func(context.Context) (int, error) {
		if n++; n%2 == 1 {
			return 0, retryLater{time.Second}
		}
		return n, nil
	}, func(v int) bool { return v < 4 })
	tries, failed := Attempts(ctx, p)
	for try := range tries {
		if try.Number() < 3 {
			try.Fail(retryLater{time.Second})
		}
	}
	failed()
}
