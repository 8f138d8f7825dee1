package ratelimit

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/retryafter"
)

const remaining = "Remaining"

// isRemaining reports whether a header with this name, in canonical form, says how much of
// a limit is left.
func isRemaining(name string) bool {
	i := strings.Index(name, remaining) // as a word: the letters inside one are small
	if i < 0 {
		return false
	}
	if end := name[i+len(remaining):]; end != "" && end[0] != '-' {
		return false
	}
	return strings.Contains(name[:i], "Ratelimit-") || strings.Contains(name[:i], "Rate-Limit-")
}

// sibling returns the value of the header whose name has word instead of Remaining.
func sibling(h http.Header, name, word string) string {
	return value(h, strings.Replace(name, remaining, word, 1))
}

func value(h http.Header, name string) string {
	if lines := h[name]; len(lines) > 0 {
		return strings.TrimSpace(lines[0])
	}
	return ""
}

// spent reports whether the Remaining header of this name says that nothing is left, and
// returns the time until that limit resets.
//
// Remaining may be negative if the server counts rejected requests, too. But -1 may also
// mean that there is no limit, or that it is unknown: then Limit is negative as well, or
// Reset is zero.
func spent(h http.Header, name string, now time.Time) (time.Duration, bool) {
	count, negative := strings.CutPrefix(value(h, name), "-")
	left, ok := retryafter.Number(count, time.Millisecond)
	if !ok || left > 0 && !negative {
		return 0, false
	}
	wait, ok := untilReset(h, name, now)
	if negative && (wait == 0 || strings.HasPrefix(sibling(h, name, "Limit"), "-")) {
		return 0, false
	}
	return wait, ok
}

// untilReset returns the time until the reset of the limit with this name.
func untilReset(h http.Header, name string, now time.Time) (time.Duration, bool) {
	if wait, ok := retryafter.Number(sibling(h, name, "Reset-After"), time.Second); ok {
		return wait, true
	}
	reset := sibling(h, name, "Reset")
	if wait, ok := retryafter.Number(reset, time.Second); ok {
		return until(wait, reset, h, now), true
	}
	if wait, ok := retryafter.Span(reset); ok {
		return wait, true
	}
	at, ok := retryafter.Date(reset, now)
	if !ok {
		return 0, false
	}
	return retryafter.Until(at, h, now), true
}

// until returns the time until a reset that is given as a number. seconds is that number in
// seconds. Its size shows which of three units it has: as a wait, 10⁹ seconds would be 31
// years, as a Unix time they are the year 2001. 10¹¹ seconds would be the year 5138, in
// milliseconds that is 1973.
func until(seconds time.Duration, reset string, h http.Header, now time.Time) time.Duration {
	if seconds <= 1e9*time.Second {
		return seconds
	}
	since := seconds // 1970
	if since == math.MaxInt64 {
		since, _ = retryafter.Number(reset, time.Millisecond)
		if since <= 1e11*time.Millisecond || since == math.MaxInt64 {
			return math.MaxInt64 // the year 2262 and later
		}
	}
	return retryafter.Until(time.Unix(0, int64(since)), h, now)
}
