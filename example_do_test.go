package insist_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

var errBusy = errors.New("busy")

// inventory is something that is not HTTP: it fails so many times.
type inventory struct{ failures, calls int }

func (i *inventory) Count(_ context.Context, item string) (int, error) {
	if i.calls++; i.calls <= i.failures {
		return 0, errBusy
	}
	return len(item), nil
}

func (i *inventory) Move(_ context.Context, item, from, to string) error {
	_, err := i.Count(context.Background(), item)
	return err
}

// Without a condition every error is retried.
func ExampleDo() {
	shop := &inventory{failures: 2}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}
	ctx := context.Background()

	n, err := insist.Do(ctx, policy, func(ctx context.Context) (int, error) {
		return shop.Count(ctx, "apple")
	})
	fmt.Println(n, err, "after", shop.calls, "calls")
	// Output: 5 <nil> after 3 calls
}

// A value may be a failure, too. When the attempts are used up, the last value
// comes back together with an *Error.
func ExampleDo_condition() {
	type reply struct{ RetCode int }
	call := func(context.Context) (reply, error) { return reply{RetCode: 5000}, nil }
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}

	r, err := insist.Do(context.Background(), policy, call, func(r reply) bool { return r.RetCode != 0 })
	fmt.Println(r.RetCode)
	fmt.Println(err)
	// Output:
	// 5000
	// insist: gave up after 3 attempts: the last value was rejected
}

// A name says whose attempts these are. Functions that share a Budget each have their
// own retries: all that publish makes take none from count.
func ExamplePolicy_name() {
	policy := insist.Standard() // with a Budget
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.OnAttempt = func(_ context.Context, a insist.Attempt) { fmt.Println(a.Name, a.Number, a.Reason) }
	down := func(context.Context) error { return errBusy }

	publish, count := policy, policy
	publish.Name, count.Name = "publish", "count"
	publish.MaxAttempts = 6
	for range 2 {
		_ = insist.Run(context.Background(), publish, down)
	}
	_ = insist.Run(context.Background(), count, down)
	// Output:
	// publish 1 error
	// publish 2 error
	// publish 3 error
	// publish 4 error
	// publish 5 error
	// publish 6 attempts_used_up
	// publish 1 budget_used_up
	// count 1 error
	// count 2 error
	// count 3 attempts_used_up
}

// An error that another attempt would not change is marked as such. It comes back
// after the one call that it took.
func ExampleDo_permanent() {
	shop := &inventory{failures: 9}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}
	ctx := context.Background()

	_, err := insist.Do(ctx, policy, func(ctx context.Context) (int, error) {
		n, err := shop.Count(ctx, "apple")
		return n, insist.Permanent(err)
	})
	fmt.Println(err, "after", shop.calls, "call")
	fmt.Println(errors.Is(err, errBusy))
	// Output:
	// busy after 1 call
	// true
}

// throttled is an error that says how long to wait.
type throttled struct{ wait time.Duration }

func (throttled) Error() string { return "throttled" }

func (e throttled) RetryAfter() time.Duration { return e.wait }

func (e throttled) after(calls int) (int, error) {
	if calls == 1 {
		return 0, e
	}
	return 7, nil
}

// An error with a RetryAfter method sets the wait before the next call. A longer
// one than MaxRetryAfter is not waited for: the error comes back at once.
func ExampleDo_retryAfter() {
	policy := insist.Policy{Backoff: insist.Constant(0), OnAttempt: func(_ context.Context, a insist.Attempt) {
		fmt.Println(a.Number, a.Err, a.Wait, a.Reason)
	}}
	for _, wait := range []time.Duration{3 * time.Millisecond, time.Hour} {
		calls := 0
		n, err := insist.Do(context.Background(), policy, func(context.Context) (int, error) {
			calls++
			return throttled{wait}.after(calls)
		})
		fmt.Println(n, err)
	}
	// Output:
	// 1 throttled 3ms error
	// 2 <nil> 0s success
	// 7 <nil>
	// 1 throttled 1h0m0s wait_too_long
	// 0 throttled
}

// A transport that retries inside a Do that retries makes 3 times 3 requests.
// Either of the two can be switched off.
func ExampleDo_transport() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	get := func(ctx context.Context) (int, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		if err != nil {
			return 0, insist.Permanent(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	failed := func(status int) bool { return status >= 500 }

	ctx := context.Background()
	insist.Do(ctx, policy, get, failed)
	fmt.Println("both:", requests)

	requests = 0
	noTransport := insist.EditPolicy(ctx, func(p *insist.Policy) { p.Disabled = true })
	insist.Do(noTransport, policy, get, failed)
	fmt.Println("Do alone:", requests)

	requests = 0
	get(ctx)
	fmt.Println("transport alone:", requests)
	// Output:
	// both: 9
	// Do alone: 3
	// transport alone: 3
}

// Errors of several types are retried, and no others.
func ExampleErrorAs_severalTypes() {
	policy := insist.Policy{
		Backoff: insist.Constant(time.Millisecond),
		RetryableError: func(err error) bool {
			return insist.ErrorAs[*net.OpError](err) || insist.ErrorAs[*fs.PathError](err)
		},
	}
	for _, failure := range []error{&net.OpError{Op: "dial", Err: errBusy}, &fs.PathError{Op: "open", Path: "lock", Err: errBusy}, errBusy} {
		calls := 0
		err := insist.Run(context.Background(), policy, func(context.Context) error {
			calls++
			return failure
		})
		fmt.Println(calls, err)
	}
	// Output:
	// 3 insist: gave up after 3 attempts: last error: dial: busy
	// 3 insist: gave up after 3 attempts: last error: open lock: busy
	// 1 busy
}

// Run is for a function that has no value to return.
func ExampleRun() {
	shop := &inventory{failures: 1}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}

	err := insist.Run(context.Background(), policy, func(ctx context.Context) error {
		return shop.Move(ctx, "apple", "shelf", "till")
	})
	fmt.Println(err, "after", shop.calls, "calls")
	// Output: <nil> after 2 calls
}

// Func wraps a function once, also a method value, and keeps its type.
func ExampleFunc() {
	shop := &inventory{failures: 2}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}

	var count func(ctx context.Context, item string) (int, error) = insist.Func(policy, shop.Count)

	n, err := count(context.Background(), "apple")
	fmt.Println(n, err, "after", shop.calls, "calls")
	// Output: 5 <nil> after 3 calls
}

// A function of another shape is wrapped in a literal that calls Run or Do and
// captures the arguments.
func ExampleFunc_otherShapes() {
	shop := &inventory{failures: 2}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}

	move := func(ctx context.Context, item, from, to string) error {
		return insist.Run(ctx, policy, func(ctx context.Context) error {
			return shop.Move(ctx, item, from, to)
		})
	}

	err := move(context.Background(), "apple", "shelf", "till")
	fmt.Println(err, "after", shop.calls, "calls")
	// Output: <nil> after 3 calls
}

// With a condition on the value and one on the error either is enough. With that
// on the value alone no error would be retried.
func ExampleFunc_condition() {
	stock := []int{0, 0, 12}
	calls := 0
	look := func(_ context.Context, item string) (int, error) {
		if calls++; calls == 2 {
			return 0, throttled{}
		}
		return stock[calls-1], nil
	}
	policy := insist.Policy{
		Backoff:        insist.Constant(time.Millisecond),
		RetryableError: insist.ErrorAs[throttled],
	}

	untilThere := insist.Func(policy, look, func(n int) bool { return n == 0 })

	n, err := untilThere(context.Background(), "apple")
	fmt.Println(n, err, "after", calls, "calls")
	// Output: 12 <nil> after 3 calls
}

// The body of the loop is run again if it has reported a failure.
func ExampleAttempts() {
	shop := &inventory{failures: 2}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}
	ctx := context.Background()

	tries, failed := insist.Attempts(ctx, policy)
	for try := range tries {
		n, err := shop.Count(try.Context(), "apple")
		if err != nil {
			fmt.Println("try", try.Number(), err)
			try.Fail(err)
			continue
		}
		fmt.Println("there are", n)
	}
	if err := failed(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// try 1 busy
	// try 2 busy
	// there are 5
}

// A body that leaves the loop has had its last try, whatever it reported.
func ExampleAttempts_break() {
	shop := &inventory{failures: 9}
	policy := insist.Policy{Backoff: insist.Constant(time.Millisecond)}

	tries, failed := insist.Attempts(context.Background(), policy)
	for try := range tries {
		if _, err := shop.Count(try.Context(), "apple"); err != nil {
			try.Fail(err)
			break
		}
	}
	fmt.Println(failed(), "after", shop.calls, "call")
	// Output: busy after 1 call
}

// item is what the functions of these examples fetch.
type item struct {
	RetCode int
	Name    string
}

// failingFetch fails with these errors, one after the other, and then succeeds.
func failingFetch(failures ...error) func(context.Context) (item, error) {
	return func(context.Context) (item, error) {
		if len(failures) > 0 {
			err := failures[0]
			failures = failures[1:]
			return item{}, err
		}
		return item{Name: "apple"}, nil
	}
}

var errNotFound = errors.New("not found")

// TestFormsOfAomaker has the three forms of docs/from-aomaker.md. It is a test since the
// waits of two seconds take no time in a bubble.
func TestFormsOfAomaker(t *testing.T) {
	t.Run("IS_HTTP_RETRY, HTTP_RETRY_COUNTS, HTTP_RETRY_INTERVAL", inBubble(func(t *testing.T) {
		policy := insist.Policy{MaxAttempts: 3, Backoff: insist.Constant(2 * time.Second)}
		transport := &insist.RetryTransport{Policy: policy}
		client := &http.Client{Transport: transport}

		for _, transport.Policy = range []insist.Policy{policy, {}} { // they are the defaults
			api := insisttest.NewScript(insisttest.Status(502), insisttest.Status(404), insisttest.Status(200))
			transport.Base = api
			resp, err := client.Get("http://api.test/")
			if err != nil || resp.StatusCode != 200 || !slices.Equal(api.Waits(), []time.Duration{2 * time.Second, 2 * time.Second}) {
				t.Error(resp, err, api.Waits())
			}
		}
	}))
	t.Run("retry, retry_condition", inBubble(func(t *testing.T) {
		ctx, calls := t.Context(), 0
		create := func(_ context.Context, name string) (item, error) {
			if calls++; calls < 3 {
				return item{RetCode: 5000}, nil
			}
			return item{Name: name}, nil
		}

		policy := insist.Policy{MaxAttempts: 3, Backoff: insist.Constant(2 * time.Second)}
		retried := insist.Func(policy, create,
			func(i item) bool { return i.RetCode != 0 })

		i, err := retried(ctx, "apple")
		if i.Name != "apple" || err != nil {
			t.Error(i, err)
		}
	}))
	t.Run("AoMakerRetry, exception_type", inBubble(func(t *testing.T) {
		fetch, fetched := failingFetch(throttled{}, throttled{}), item{}
		block := func(ctx context.Context, policy insist.Policy) error {
			policy.RetryableError = insist.ErrorAs[throttled]
			tries, failed := insist.Attempts(ctx, policy)
			for try := range tries {
				i, err := fetch(try.Context())
				fetched = i
				try.Fail(err)
			}
			return failed()
		}
		if err := block(t.Context(), insist.Policy{}); err != nil || fetched.Name != "apple" {
			t.Error(fetched, err)
		}
	}))
}

func inBubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// The call that docs/from-backoff.md shows beside those of cenkalti/backoff, avast/retry-go
// and sethvargo/go-retry: up to 5 attempts, exponential waits with full jitter, and
// no further attempt for an item that is not there.
func Example_comingFromOthers() {
	policy := insist.Policy{MaxAttempts: 5, Backoff: insist.Exponential(time.Millisecond, 20*time.Millisecond)}
	ctx := context.Background()

	for _, fetch := range []func(context.Context) (item, error){
		failingFetch(errBusy, errBusy),
		failingFetch(errBusy, errNotFound),
	} {
		i, err := insist.Do(ctx, policy, func(ctx context.Context) (item, error) {
			i, err := fetch(ctx)
			if errors.Is(err, errNotFound) {
				err = insist.Permanent(err)
			}
			return i, err
		})
		fmt.Printf("%q %v\n", i.Name, err)
	}
	// Output:
	// "apple" <nil>
	// "" insist: gave up after 2 attempts: an error that is not retried; last error: not found
}
