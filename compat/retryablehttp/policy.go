package retryablehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultRetryPolicy is a CheckRetry for status 429 and from 500 on, but for 501,
// and for all errors but those that a retry would meet again: too many redirects,
// an unsupported scheme, a malformed request, a bad certificate. It returns an
// error only where ctx has ended: the context's.
func DefaultRetryPolicy(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	retry, _ := checkRetry(resp, err)
	return retry, nil
}

// ErrorPropagatedRetryPolicy is DefaultRetryPolicy with a reason: it returns an
// error that is not retried, and one for a status from 500 on that is.
func ErrorPropagatedRetryPolicy(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return checkRetry(resp, err)
}

func checkRetry(resp *http.Response, err error) (bool, error) {
	switch {
	case err != nil && isPermanent(err):
		return false, err
	case err != nil:
		return true, nil
	case resp == nil:
		return false, nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return true, nil
	case resp.StatusCode == 0, resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented:
		return true, fmt.Errorf("unexpected HTTP status %s", resp.Status)
	}
	return false, nil
}

// isPermanent reports whether a retry would meet err again. net/http has no types
// for most of these. They are the http.Client's errors only inside a *url.Error.
func isPermanent(err error) bool {
	if asType[*tls.CertificateVerificationError](err) || asType[x509.UnknownAuthorityError](err) ||
		asType[x509.HostnameError](err) || asType[x509.CertificateInvalidError](err) {
		return true
	}
	wrapped, ok := err.(*url.Error)
	if !ok || wrapped.Err == nil {
		return false
	}
	text := wrapped.Err.Error()
	for _, start := range []string{
		"unsupported protocol scheme", "http: nil Request.", "http: no Host in request URL",
		"net/http: invalid method", "net/http: invalid header", "net/http: invalid trailer",
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return strings.HasPrefix(text, "stopped after ") && strings.HasSuffix(text, " redirects")
}

func asType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// DefaultBackoff is a Backoff of min, 2·min, 4·min and so on, but not more than
// max. After a status 429 or 503 with a Retry-After it is that.
func DefaultBackoff(min, max time.Duration, attemptNum int, resp *http.Response) time.Duration {
	if wait, ok := askedWait(resp); ok {
		return wait
	}
	if min <= 0 || max <= 0 {
		return 0
	}
	wait := min
	for range attemptNum {
		if wait > max/2 {
			return max
		}
		wait *= 2
	}
	if wait > max {
		return max
	}
	return wait
}

// LinearJitterBackoff is a Backoff that grows by a random time between min and
// max with each retry: attemptNum+1 times that. If max is not greater than min, it
// is attemptNum+1 times min.
func LinearJitterBackoff(min, max time.Duration, attemptNum int, resp *http.Response) time.Duration {
	step := min
	if span := uint64(max) - uint64(min); max > min {
		step += time.Duration(rand.Uint64N(span))
	}
	if step <= 0 || attemptNum < 0 {
		return 0
	}
	if times := int64(attemptNum); times < math.MaxInt64/int64(step) {
		return step * time.Duration(times+1)
	}
	return math.MaxInt64
}

// RateLimitLinearJitterBackoff is LinearJitterBackoff, but after a status 429 or
// 503 with a Retry-After it is that.
func RateLimitLinearJitterBackoff(min, max time.Duration, attemptNum int, resp *http.Response) time.Duration {
	if wait, ok := askedWait(resp); ok {
		return wait
	}
	return LinearJitterBackoff(min, max, attemptNum, resp)
}

// PassthroughErrorHandler is an ErrorHandler that returns the last response, its
// body open, and the error.
func PassthroughErrorHandler(resp *http.Response, err error, _ int) (*http.Response, error) {
	return resp, err
}

// askedWait returns the wait that a server asks for that is overloaded.
func askedWait(resp *http.Response) (time.Duration, bool) {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	return parseRetryAfterHeader(resp.Header["Retry-After"])
}

var timeNow = time.Now

// parseRetryAfterHeader reads the first value of a Retry-After: seconds, also with
// a fraction, or a date in any form of RFC 9110, section 5.6.7. A date in the past
// is no wait. A number of seconds beyond a Duration is the longest one.
func parseRetryAfterHeader(values []string) (time.Duration, bool) {
	if len(values) == 0 {
		return 0, false
	}
	value := strings.TrimSpace(values[0])
	date, err := http.ParseTime(value)
	if err != nil {
		date, err = time.Parse(time.RFC1123, value) // with another name for GMT
	}
	if err == nil {
		return max(0, date.Sub(timeNow())), true
	}
	if strings.Trim(value, "0123456789.") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	if seconds >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(seconds * float64(time.Second)), true
}
