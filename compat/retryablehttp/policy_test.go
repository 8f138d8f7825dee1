package retryablehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRetryPolicies(t *testing.T) {
	get := func(err error) error { return &url.Error{Op: "Get", URL: "/", Err: err} }
	text := func(s string) error { return get(errors.New(s)) }
	for name, test := range map[string]struct {
		status     int
		err        error
		retry      bool
		propagated string // what ErrorPropagatedRetryPolicy returns, by its text
	}{
		"neither":           {},
		"200":               {status: 200},
		"408":               {status: 408},
		"429":               {status: 429, retry: true},
		"no status":         {status: -1, retry: true, propagated: "unexpected HTTP status "},
		"500":               {status: 500, retry: true, propagated: "unexpected HTTP status 500 Internal Server Error"},
		"501":               {status: 501},
		"503":               {status: 503, retry: true, propagated: "unexpected HTTP status 503 Service Unavailable"},
		"999":               {status: 999, retry: true, propagated: "unexpected HTTP status "},
		"error":             {err: errors.New("reset"), retry: true},
		"client's error":    {err: text("reset"), retry: true},
		"redirects":         {err: text("stopped after 10 redirects"), propagated: `Get "/": stopped after 10 redirects`},
		"scheme":            {err: text(`unsupported protocol scheme "ftp"`), propagated: `Get "/": unsupported protocol scheme "ftp"`},
		"header":            {err: text("net/http: invalid header field name"), propagated: `Get "/": net/http: invalid header field name`},
		"host":              {err: text("http: no Host in request URL"), propagated: `Get "/": http: no Host in request URL`},
		"same text, plain":  {err: errors.New("stopped after 10 redirects"), retry: true},
		"certificate":       {err: get(&tls.CertificateVerificationError{Err: errors.New("bad")}), propagated: `Get "/": tls: failed to verify certificate: bad`},
		"unknown authority": {err: x509.UnknownAuthorityError{}, propagated: "x509: certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			var resp *http.Response
			if test.status != 0 {
				code := max(0, test.status)
				resp = &http.Response{StatusCode: code, Status: statusLine(code)}
			}
			retry, err := DefaultRetryPolicy(t.Context(), resp, test.err)
			assert.Equal(t, test.retry, retry)
			assert.NoError(t, err)

			retry, err = ErrorPropagatedRetryPolicy(t.Context(), resp, test.err)
			assert.Equal(t, test.retry, retry)
			if test.propagated == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.propagated)
			}
		})
	}
}

func statusLine(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprint(code, " ", text)
	}
	return ""
}

func TestRetryPoliciesReturnTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("why"))
	for _, policy := range []CheckRetry{DefaultRetryPolicy, ErrorPropagatedRetryPolicy} {
		retry, err := policy(ctx, nil, errors.New("reset"))
		assert.False(t, retry)
		assert.Equal(t, context.Canceled, err)
	}
}

func TestDefaultBackoff(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	for _, test := range []struct {
		min, max time.Duration
		n        int
		want     time.Duration
	}{
		{1, 10, 0, 1}, {1, 10, 1, 2}, {1, 10, 3, 8}, {1, 10, 4, 10}, {1, 10, 5, 10},
		{10, 1, 0, 1}, {10, 1, 2, 1},
		{0, 10, 3, 0}, {-1, 10, 3, 0}, {1, 0, 3, 0}, {1, -5, 3, 0},
		{1, 10, -1, 1}, {1, 10, math.MinInt, 1},
		{1, most, 62, 1 << 62}, {1, most, 63, most}, {3, most, 62, most}, {1, most, math.MaxInt, most},
		{most, most, 1, most},
	} {
		assert.Equal(t, test.want, DefaultBackoff(test.min, test.max, test.n, nil), "%+v", test)
	}
}

func TestLinearJitterBackoff(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	for _, test := range []struct {
		min, max time.Duration
		n        int
		from, to time.Duration
	}{
		{5, 5, 0, 5, 5}, {5, 5, 2, 15, 15}, {5, 1, 2, 15, 15},
		{5, 8, 1, 10, 14},
		{0, 0, 3, 0, 0}, {-9, -5, 3, 0, 0}, {5, 8, -1, 0, 0}, {5, 8, math.MinInt, 0, 0},
		{most, most, 0, most, most}, {most, most, 1, most, most}, {1, 1, math.MaxInt, most, most},
		{math.MinInt64, most, math.MaxInt, 0, most},
	} {
		for range 50 {
			got := LinearJitterBackoff(test.min, test.max, test.n, nil)
			assert.GreaterOrEqual(t, got, test.from, "%+v", test)
			assert.LessOrEqual(t, got, test.to, "%+v", test)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	none := time.Duration(-1)
	for value, want := range map[string]time.Duration{
		"2": 2 * time.Second, " 2 ": 2 * time.Second, "0": 0, "2.5": 2500 * time.Millisecond,
		"10000000000": most, "99999999999999999999": most, "9223372036": 9223372036 * time.Second,
		"-1": none, "+2": none, "0x2": none, "1e3": none, "NaN": none, "Inf": none, ".": none, "": none, "1.2.3": none, "soon": none,
		"Sat, 01 Jan 2000 00:00:09 GMT":    9 * time.Second,
		"Sat, 01 Jan 2000 00:00:09 UTC":    9 * time.Second,
		"Saturday, 01-Jan-00 00:00:09 GMT": 9 * time.Second,
		"Sat Jan  1 00:00:09 2000":         9 * time.Second,
		"Fri, 31 Dec 1999 00:00:00 GMT":    0,
		"Fri, 31 Dec 9999 23:59:59 GMT":    most,
	} {
		synctest.Test(t, func(t *testing.T) { // where it is midnight, 1 January 2000
			for _, code := range []int{429, 503} {
				resp := &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {value}}}
				want := want
				if want == none {
					want = 7 * time.Second // the backoff's
				}
				assert.Equal(t, want, DefaultBackoff(7*time.Second, 7*time.Second, 0, resp), value)
				assert.Equal(t, want, RateLimitLinearJitterBackoff(7*time.Second, 7*time.Second, 0, resp), value)
			}
			other := &http.Response{StatusCode: 500, Header: http.Header{"Retry-After": {value}}}
			assert.Equal(t, 7*time.Second, DefaultBackoff(7*time.Second, 7*time.Second, 0, other), value)
		})
	}
}
