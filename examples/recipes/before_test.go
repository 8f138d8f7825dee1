package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	retry "github.com/avast/retry-go/v5"
	"github.com/cenkalti/backoff/v7"
	"github.com/go-resty/resty/v2"
	"github.com/hashicorp/go-retryablehttp"
	goretry "github.com/sethvargo/go-retry"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// The code of other libraries, beside insist's, as docs/from-*.md show it.

const url = "http://api.test/items"

func withRetryablehttp(base http.RoundTripper) error {
	client := retryablehttp.NewClient()
	client.RetryMax = 4 // retries
	client.RetryWaitMin = 500 * time.Millisecond
	client.RetryWaitMax = 10 * time.Second
	client.Logger = nil

	client.HTTPClient.Transport = base
	resp, err := client.Get(url)
	if err != nil {
		return err // a 5xx that stays is one
	}
	defer resp.Body.Close()
	return nil
}

func instead(base http.RoundTripper) error {
	policy := insist.Standard()
	policy.MaxAttempts = 5 // the first one included
	policy.Backoff = insist.Exponential(500*time.Millisecond, 10*time.Second)
	transport := &insist.RetryTransport{Policy: policy}
	client := &http.Client{Transport: transport}

	transport.Base = base
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 500 {
		return fmt.Errorf("the server failed: %s", resp.Status)
	}
	return nil
}

func withResty(base http.RoundTripper) error {
	client := resty.New().
		SetRetryCount(4).
		SetRetryWaitTime(500 * time.Millisecond).
		SetRetryMaxWaitTime(10 * time.Second).
		AddRetryCondition(func(resp *resty.Response, err error) bool {
			return err != nil || resp.StatusCode() >= 500
		})

	client.SetTransport(base)
	resp, err := client.R().Get(url)
	if err == nil && resp.IsError() {
		err = errors.New(resp.Status())
	}
	return err
}

func withRestyAndInsist(base http.RoundTripper) error {
	policy := insist.Standard()
	policy.MaxAttempts = 5
	policy.Backoff = insist.Exponential(500*time.Millisecond, 10*time.Second)
	transport := &insist.RetryTransport{Policy: policy}
	client := resty.NewWithClient(&http.Client{Transport: transport})

	transport.Base = base
	resp, err := client.R().Get(url)
	if err == nil && resp.IsError() {
		err = errors.New(resp.Status())
	}
	return err
}

// TestAnyClient has the two names of examples/sdk/README.md.
func TestAnyClient(t *testing.T) {
	rt := &insist.RetryTransport{Policy: insist.Standard()}
	hc := &http.Client{Transport: rt}

	api := insisttest.NewScript(insisttest.Lost(), insisttest.Status(200))
	rt.Base = api
	if _, err := resty.NewWithClient(hc).R().Get(url); err != nil || len(api.Arrivals()) != 2 {
		t.Errorf("%v after %d requests, want none after 2", err, len(api.Arrivals()))
	}
}

func TestHTTPClients(t *testing.T) {
	for name, get := range map[string]func(http.RoundTripper) error{
		"go-retryablehttp": withRetryablehttp, "insist": instead,
		"resty": withResty, "resty with insist": withRestyAndInsist,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				down := insisttest.NewScript(insisttest.Status(503))
				if get(down) == nil || len(down.Arrivals()) != 5 {
					t.Errorf("a service that is down got %d requests, want 5 and an error", len(down.Arrivals()))
				}
				flaky := insisttest.NewScript(insisttest.Lost(), insisttest.Status(500), insisttest.Status(200))
				if err := get(flaky); err != nil || len(flaky.Arrivals()) != 3 {
					t.Errorf("%v after %d requests, want none after 3", err, len(flaky.Arrivals()))
				}
			})
		})
	}
}

type item struct{ Name string }

var errNotFound = errors.New("not found")

type fetcher = func(context.Context) (item, error)

func withInsist(ctx context.Context, fetch fetcher) (item, error) {
	policy := insist.Policy{MaxAttempts: 5, Backoff: insist.Exponential(100*time.Millisecond, 2*time.Second)}
	return insist.Do(ctx, policy, func(ctx context.Context) (item, error) {
		i, err := fetch(ctx)
		if errors.Is(err, errNotFound) {
			err = insist.Permanent(err)
		}
		return i, err
	})
}

func withBackoff(ctx context.Context, fetch fetcher) (item, error) {
	b := backoff.NewExponentialBackOff() // cenkalti/backoff
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 2*time.Second
	return backoff.Retry(ctx, func() (item, error) {
		i, err := fetch(ctx)
		if errors.Is(err, errNotFound) {
			err = backoff.Permanent(err)
		}
		return i, err
	}, backoff.WithBackOff(b), backoff.WithMaxTries(5))
}

func withRetryGo(ctx context.Context, fetch fetcher) (item, error) {
	return retry.NewWithData[item]( // avast/retry-go
		retry.Context(ctx), retry.Attempts(5),
		retry.Delay(100*time.Millisecond), retry.MaxDelay(2*time.Second),
		retry.DelayType(retry.FullJitterBackoffDelay),
	).Do(func() (item, error) {
		i, err := fetch(ctx)
		if errors.Is(err, errNotFound) {
			err = retry.Unrecoverable(err)
		}
		return i, err
	})
}

func withGoRetry(ctx context.Context, fetch fetcher) (item, error) {
	b := goretry.NewExponential(100 * time.Millisecond) // sethvargo/go-retry
	b = goretry.WithFullJitter(goretry.WithCappedDuration(2*time.Second, b))
	return goretry.DoValue(ctx, goretry.WithMaxRetries(4, b), func(ctx context.Context) (item, error) {
		i, err := fetch(ctx)
		if err != nil && !errors.Is(err, errNotFound) {
			err = goretry.RetryableError(err)
		}
		return i, err
	})
}

func TestFunctions(t *testing.T) {
	errBusy := errors.New("busy")
	for name, call := range map[string]func(context.Context, fetcher) (item, error){
		"insist": withInsist, "cenkalti/backoff": withBackoff, "avast/retry-go": withRetryGo, "sethvargo/go-retry": withGoRetry,
	} {
		for _, tt := range []struct {
			name  string
			errs  []error
			calls int
			want  error
		}{
			{"busy twice", []error{errBusy, errBusy, nil}, 3, nil},
			{"busy for long", []error{errBusy}, 5, errBusy},
			{"not there", []error{errBusy, errNotFound}, 2, errNotFound},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					i, err := call(t.Context(), func(context.Context) (item, error) {
						calls++
						err := tt.errs[min(calls, len(tt.errs))-1]
						if err != nil {
							return item{}, err
						}
						return item{"apple"}, nil
					})
					if calls != tt.calls || !errors.Is(err, tt.want) || err == nil && i.Name != "apple" {
						t.Errorf("%v, %v after %d calls, want %v after %d", i, err, calls, tt.want, tt.calls)
					}
				})
			})
		}
	}
}
