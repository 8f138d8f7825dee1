// Package retryafter reads for how long a server asks a client to wait, in the
// forms that servers really send. No value is ever taken for less than it says:
// what is too large for a Duration is the longest Duration, fractions are rounded
// up, and what can't be parsed is ignored.
package retryafter

import (
	"net/http"
	"strings"
	"time"
)

// Wait returns the wait that a response asks for, and whether it asks for one.
//
// The headers in milliseconds are more exact than Retry-After, which often stands
// beside them, rounded. So they go first, unless they say zero. Of several values
// the longest counts.
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

// milliseconds reads the headers that count in them: Retry-After-Ms (Azure,
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

// field parses one Retry-After (RFC 9110, section 10.2.3): seconds or a date. A
// date counts from the response's own Date, so that the clocks need not agree; one
// that is past asks for no wait. Beside what the RFC allows there are fractions
// (Shopify), Go's durations (time.Duration.String in a handler), and lists, into
// which a proxy may join several lines.
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

// Until returns the time until at, by the clock of the server that sent h if it
// says what time it is there. It is never negative.
func Until(at time.Time, h http.Header, now time.Time) time.Duration {
	if date := h["Date"]; len(date) > 0 {
		if there, ok := Date(strings.TrimSpace(date[0]), now); ok {
			now = there
		}
	}
	return ceil(max(0, at.Sub(now)))
}
