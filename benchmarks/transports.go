package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/PuerkitoBio/rehttp"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/seed-552c89fc/insist"
)

// library is a retrying RoundTripper, as its documentation sets it up: 3 attempts
// in all, after 429, 5xx and errors, with a wait between them that Retry-After may
// lengthen where the library knows that header.
type library struct {
	name string
	over func(base http.RoundTripper, wait time.Duration) http.RoundTripper

	// keeping is over with the setting that returns the last response, if there is such
	// a setting.
	keeping     func(base http.RoundTripper, wait time.Duration) http.RoundTripper
	keepingName string

	// judging is over with a condition on the response, if a condition can see it.
	judging func(base http.RoundTripper, failed func(*http.Response) bool) http.RoundTripper

	// untruncated is over with the settings against truncated responses, if there are
	// any.
	untruncated func(base http.RoundTripper) http.RoundTripper

	// limited is over with the library's limit for the time of an attempt and, where
	// there is one, for the silence of a body. It does not wait.
	limited func(base http.RoundTripper, limit time.Duration) http.RoundTripper

	// hedging begins a second attempt after delay; see hedgers.
	hedging func(base http.RoundTripper, delay time.Duration) http.RoundTripper
}

var libraries = []library{
	{
		name: "insist",
		over: func(base http.RoundTripper, wait time.Duration) http.RoundTripper {
			return &insist.RetryTransport{Base: base, Policy: insist.Policy{Backoff: insist.Constant(wait)}}
		},
		judging: func(base http.RoundTripper, _ func(*http.Response) bool) http.RoundTripper {
			return &insist.RetryTransport{Base: base, Policy: insist.Policy{
				Backoff: insist.Constant(0), RetryableBody: insist.JSONFieldNot("/ret_code", 0),
			}}
		},
		untruncated: func(base http.RoundTripper) http.RoundTripper {
			return &insist.RetryTransport{Base: base, Policy: insist.Policy{
				Backoff: insist.Constant(0), MaxWholeBytes: 64 << 10, ResumeDownloads: true,
			}}
		},
		limited: func(base http.RoundTripper, limit time.Duration) http.RoundTripper {
			return &insist.RetryTransport{Base: base, Policy: insist.Policy{
				Backoff: insist.Constant(0), PerAttemptTimeout: limit, BodyIdleTimeout: limit,
			}}
		},
	},
	{
		name:        "hashicorp",
		over:        func(b http.RoundTripper, w time.Duration) http.RoundTripper { return hashicorp(b, w, nil, nil) },
		keepingName: "PassthroughErrorHandler",
		keeping: func(b http.RoundTripper, w time.Duration) http.RoundTripper {
			return hashicorp(b, w, nil, retryablehttp.PassthroughErrorHandler)
		},
		judging: func(b http.RoundTripper, failed func(*http.Response) bool) http.RoundTripper {
			return hashicorp(b, 0, failed, nil)
		},
		limited: func(b http.RoundTripper, limit time.Duration) http.RoundTripper {
			c := newHashicorp(b, 0)
			c.HTTPClient.Timeout = limit // for each attempt
			return c.StandardClient().Transport
		},
	},
	{
		name: "rehttp",
		over: func(base http.RoundTripper, wait time.Duration) http.RoundTripper {
			return rehttp.NewTransport(base, rehttpRule, rehttp.ConstDelay(wait))
		},
		judging: func(base http.RoundTripper, failed func(*http.Response) bool) http.RoundTripper {
			rule := func(a rehttp.Attempt) bool { return a.Response != nil && failed(a.Response) }
			return rehttp.NewTransport(base, rehttp.RetryAll(rehttp.RetryMaxRetries(2), rule), rehttp.ConstDelay(0))
		},
		limited: func(base http.RoundTripper, limit time.Duration) http.RoundTripper {
			t := rehttp.NewTransport(base, rehttpRule, rehttp.ConstDelay(0))
			t.PerAttemptTimeout = limit
			return t
		},
	},
	{
		name: "failsafe",
		over: func(base http.RoundTripper, wait time.Duration) http.RoundTripper {
			return failsafehttp.NewRoundTripper(base, failsafehttp.NewRetryPolicyBuilder().WithDelay(wait).Build())
		},
		keepingName: "ReturnLastFailure",
		keeping: func(base http.RoundTripper, wait time.Duration) http.RoundTripper {
			return failsafehttp.NewRoundTripper(base,
				failsafehttp.NewRetryPolicyBuilder().WithDelay(wait).ReturnLastFailure().Build())
		},
		judging: func(base http.RoundTripper, failed func(*http.Response) bool) http.RoundTripper {
			rule := func(resp *http.Response, err error) bool { return err == nil && failed(resp) }
			return failsafehttp.NewRoundTripper(base,
				failsafehttp.NewRetryPolicyBuilder().HandleIf(rule).ReturnLastFailure().Build())
		},
		limited: func(base http.RoundTripper, limit time.Duration) http.RoundTripper {
			return failsafehttp.NewRoundTripper(base,
				failsafehttp.NewRetryPolicyBuilder().Build(), timeout.New[*http.Response](limit))
		},
	},
}

// rehttpRule is one that its documentation recommends; rehttp has none of its
// own.
var rehttpRule = rehttp.RetryAll(
	rehttp.RetryMaxRetries(2),
	rehttp.RetryAny(rehttp.RetryStatuses(429), rehttp.RetryStatusInterval(500, 600), rehttp.RetryTemporaryErr()),
)

// hashicorp is a retryablehttp.Client as a RoundTripper, without its log on
// standard error.
func hashicorp(base http.RoundTripper, wait time.Duration, failed func(*http.Response) bool, exhausted retryablehttp.ErrorHandler) http.RoundTripper {
	c := newHashicorp(base, wait)
	c.ErrorHandler = exhausted
	if failed != nil {
		c.CheckRetry = func(_ context.Context, resp *http.Response, err error) (bool, error) {
			return err == nil && failed(resp), nil
		}
	}
	return c.StandardClient().Transport
}

func newHashicorp(base http.RoundTripper, wait time.Duration) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: base}
	c.Logger, c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = nil, 2, wait, wait
	return c
}

// roundTripper is a function as a RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func newAnswer(code int) *http.Response {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody,
	}
}

func newRequest(method string, body io.Reader) *http.Request {
	req, err := http.NewRequest(method, "http://example.com/", body)
	if err != nil {
		panic(err)
	}
	return req
}

// upload is a request body that can be sent anew in each run.
type upload struct {
	name  string
	getIt bool
	known bool // its kind is one of net/http's in-memory ones
	open  bool // the request does not say how long it is
}

// fresh returns a request with the body, and what makes it as new again.
func (u upload) fresh(method string, size int) (*http.Request, func()) {
	if size == 0 {
		req := newRequest(method, nil)
		return req, func() {}
	}
	r := strings.NewReader(strings.Repeat("x", size))
	req := newRequest(method, r)
	if !u.known {
		req.Body = io.NopCloser(struct{ io.Reader }{r})
	}
	if !u.getIt {
		req.GetBody = nil
	}
	if u.open {
		req.ContentLength = -1
	}
	if u.getIt && !u.known {
		body := req.Body
		req.GetBody = func() (io.ReadCloser, error) {
			r.Seek(0, io.SeekStart)
			return body, nil
		}
	}
	asNew := *req
	return req, func() {
		r.Seek(0, io.SeekStart)
		*req = asNew // some libraries change it
	}
}
