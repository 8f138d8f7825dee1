// Package retryafter reads how long a server asks a client to wait, in the forms that
// servers really send. The result is never shorter than the value says: a value too large
// for a Duration becomes the longest Duration, and fractions are rounded up. A value that
// can't be parsed is ignored.
package retryafter

import (
	"net/http"
	"strings"
	"time"
)

// Wait returns the wait that a response requests, and whether it requests one.
//
// The headers in milliseconds take precedence, unless they are zero: a response often has
// both, and Retry-After is rounded then. If there are several values, the longest counts.
func Wait(h http.Header, now time.Time) (time.Duration, bool) {
	ms, asked := milliseconds(h)
	if ms > 0 {
		return ms, true
	}
	longest := time.Duration(0)
	for _, v := range h["Retry-After"] {
		if d, ok := field(strings.TrimSpace(v), h, now); ok {
			longest, asked = max(longest, d), true
		}
	}
	return longest, asked
}

// milliseconds reads the headers whose unit is the millisecond: Retry-After-Ms (Azure,
// OpenAI), X-Ms-Retry-After-Ms (Azure Cosmos DB) and X-Amz-Retry-After (AWS).
func milliseconds(h http.Header) (longest time.Duration, asked bool) {
	for _, name := range [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms", "X-Amz-Retry-After"} {
		for _, v := range h[name] {
			if d, ok := Number(strings.TrimSpace(v), time.Millisecond); ok {
				longest, asked = max(longest, d), true
			}
		}
	}
	return longest, asked
}

// field parses one Retry-After (RFC 9110, section 10.2.3): seconds or a date. A date is
// compared with the response's own Date, so the two clocks need not agree. A date in the
// past requests no wait. The RFC doesn't allow, but field accepts, fractions (Shopify),
// Go's durations (a handler that prints a time.Duration), and lists (a proxy that joins
// several lines).
func field(v string, h http.Header, now time.Time) (longest time.Duration, asked bool) {
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		d, ok := Number(part, time.Second)
		if !ok {
			d, ok = Span(part)
		}
		if ok {
			longest, asked = max(longest, d), true
		}
	}
	if asked {
		return longest, true
	}
	at, ok := Date(v, now)
	if !ok {
		return 0, false
	}
	return Until(at, h, now), true
}

// Until returns the time until at. If h has a valid Date, it is measured by the server's
// clock, otherwise from now. It is never negative.
func Until(at time.Time, h http.Header, now time.Time) time.Duration {
	if date := h["Date"]; len(date) > 0 {
		if there, ok := Date(strings.TrimSpace(date[0]), now); ok {
			now = there
		}
	}
	return ceil(max(0, at.Sub(now)))
}
