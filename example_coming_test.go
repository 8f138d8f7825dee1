package insist_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist"
)

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

// aomaker, first form: IS_HTTP_RETRY with HTTP_RETRY_COUNTS and
// HTTP_RETRY_INTERVAL, whose defaults are those of a zero Policy.
func Example_aomakerHTTP() {
	server := exampleServer(502, 404, 200)
	defer server.Close()

	policy := insist.Policy{MaxAttempts: 3, Backoff: insist.Constant(2 * time.Millisecond)} // 2 s, but in an example
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// aomaker, second form: @retry with a retry_condition on what the function
// returns. The last value is not lost when the attempts are used up.
func Example_aomakerDecorator() {
	calls := 0
	create := func(_ context.Context, name string) (item, error) {
		if calls++; calls < 3 {
			return item{RetCode: 5000}, nil
		}
		return item{Name: name}, nil
	}

	policy := insist.Policy{MaxAttempts: 3, Backoff: insist.Constant(2 * time.Millisecond)}
	retried := insist.Func(policy, create, func(i item) bool { return i.RetCode != 0 })

	i, err := retried(context.Background(), "apple")
	fmt.Println(i.Name, err)
	// Output: apple <nil>
}

// aomaker, third form: the loop over AoMakerRetry with an exception_type.
func Example_aomakerBlock() {
	fetch := failingFetch(throttled{}, throttled{})

	policy := insist.Policy{
		MaxAttempts:    3,
		Backoff:        insist.Constant(2 * time.Millisecond),
		RetryableError: insist.ErrorAs[throttled],
	}
	tries, failed := insist.Attempts(context.Background(), policy)
	for try := range tries {
		i, err := fetch(try.Context())
		try.Fail(err)
		fmt.Printf("%d %q\n", try.Number(), i.Name)
	}
	fmt.Println(failed())
	// Output:
	// 1 ""
	// 2 ""
	// 3 "apple"
	// <nil>
}

// The call that the README shows beside those of cenkalti/backoff, avast/retry-go
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
	// "" insist: an error that is not retried after 2 attempts (last error: not found)
}
