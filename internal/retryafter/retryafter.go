// Package retryafter reads for how long a server asks a client to wait.
package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Wait returns the wait that the response asks for, and whether it asks
// for one. Retry-After-Ms (Azure, OpenAI) is the more exact and goes first, then
// Retry-After (RFC 9110, section 10.2.3), of several the longest. What can't be
// parsed is ignored, never taken for zero.
func Wait(h http.Header, now time.Time) (time.Duration, bool) {
	if d, ok := decimal(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d, true
	}
	longest, found := time.Duration(0), false
	for _, v := range h["Retry-After"] {
		d, ok := field(strings.TrimSpace(v), h, now)
		if ok {
			longest, found = max(longest, d), true
		}
	}
	return longest, found
}

// field parses one field value: delta-seconds or one of the three forms of
// an HTTP-date. A date counts from the response's own Date, so that the clocks
// need not agree; one that is past asks for no wait.
func field(v string, h http.Header, now time.Time) (time.Duration, bool) {
	if d, ok := decimal(v, time.Second); ok && !strings.Contains(v, ".") {
		return d, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now)), true
}

// decimal parses digits, with a fraction or without, as a number of units. A
// number too large for a Duration is the longest one: an absurd wait is one to
// refuse, while an overflow would make it none at all.
func decimal(v string, unit time.Duration) (time.Duration, bool) {
	if v == "" || v[0] == '.' || strings.Trim(v, "0123456789.") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil && f == 0 {
		return 0, false
	}
	if f *= float64(unit); f >= math.MaxInt64 {
		return math.MaxInt64, true
	}
	return time.Duration(math.Ceil(f)), true
}
