package insist_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-552c89fc/insist"
)

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
// on the value alone no error would be tried again.
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

	tries, failed := insist.Attempts(context.Background(), policy)
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
