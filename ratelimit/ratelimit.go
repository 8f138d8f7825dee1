// Package ratelimit reads what services say about their rate limits. Classify is
// for the field of that name of an insist.Policy:
//
//	policy := insist.Standard()
//	policy.Classify = ratelimit.Classify
//	policy.MaxRetryAfter = time.Hour // else a longer limit ends the call at once
//
// # What is read
//
// A limit counts where the response says that nothing of it is left, and when
// there will be more:
//
//	Header                                     Of
//	RateLimit: "name";r=0;t=30                 the current IETF draft (10 and 11)
//	RateLimit-Remaining, RateLimit-Reset       older IETF drafts, GitLab
//	X-RateLimit-Remaining, X-RateLimit-Reset   GitHub and many others
//	X-Rate-Limit-Remaining, X-Rate-Limit-Reset X, Okta
//
// t is in seconds. A Reset is a number of seconds as well, or a Unix time in
// seconds or in milliseconds: it is taken for a time where it is more than 10⁹,
// and for milliseconds where it is more than 10¹¹. A time counts from the
// response's own Date, so that the clocks need not agree. Of several limits that
// are used up the longest counts. What is malformed is ignored.
//
// Retry-After and retry-after-ms take precedence: where one of them is valid, no
// limit is read. insist itself obeys those two, whatever asks for the attempt.
package ratelimit

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/retryafter"
)

// Classify is a rule for insist.Policy.Classify. It looks at three statuses:
//
//   - 403, by which GitHub turns requests away: another attempt is made when a
//     limit is used up, or when there is a Retry-After. A POST is sent again as
//     well, since it was not acted on. Any other 403 is left to the other rules,
//     and so is one with x-should-retry: false.
//   - 429 and 503: the other rules decide whether there is another attempt, and
//     the limit says after which wait.
//
// The wait ends when the limit does. When that is past already, the Policy's
// Backoff decides. One longer than the Policy's MaxRetryAfter, 30 seconds unless
// set, is not begun: the caller gets that response. GitHub's main limit may take
// an hour.
//
// To combine it with a rule of your own, call it in a function literal.
func Classify(_ *http.Request, resp *http.Response, _ error, _ int) insist.Decision {
	if resp == nil {
		return insist.Decision{}
	}
	switch resp.StatusCode {
	case http.StatusForbidden:
		wait, limited := limit(resp.Header, time.Now())
		if limited && !strings.EqualFold(resp.Header.Get("X-Should-Retry"), "false") {
			return insist.Decision{Verdict: insist.Retry, Wait: wait}
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		wait, _ := limit(resp.Header, time.Now())
		return insist.Decision{Wait: wait}
	}
	return insist.Decision{}
}

// limit returns for how long a limit lasts, and whether there is one. It is zero
// where Retry-After says it: insist reads that itself.
func limit(h http.Header, now time.Time) (longest time.Duration, limited bool) {
	if _, asked := retryafter.Wait(h, now); asked {
		return 0, true
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if t, ok := usedUp(strings.Join(h["Ratelimit"], ",")); ok {
		longest, limited = seconds(t), true
	}
	for _, family := range []string{"Ratelimit-", "X-Ratelimit-", "X-Rate-Limit-"} {
		left, ok := number(h.Get(family + "Remaining"))
		if !ok || left > 0 {
			continue
		}
		if reset, ok := number(h.Get(family + "Reset")); ok {
			longest, limited = max(longest, until(reset, now)), true
		}
	}
	return longest, limited
}

// until returns the time from now to a reset, which is given in one of three
// units. They are told apart by size: 10⁹ seconds are 31 years, or the year 2001;
// 10¹¹ are the year 5138, or in milliseconds 1973.
func until(reset int64, now time.Time) time.Duration {
	switch {
	case reset <= 1e9:
		return seconds(reset)
	case reset <= 1e11:
		return max(0, time.Unix(reset, 0).Sub(now))
	}
	return max(0, time.UnixMilli(reset).Sub(now))
}

// seconds returns n seconds, or the longest Duration. An absurd wait is one to
// refuse, while an overflow would make it none at all.
func seconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

const digits = "0123456789"

// number parses digits. A number that is too large is the largest one.
func number(v string) (int64, bool) {
	if v == "" || strings.Trim(v, digits) != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(v, 10, 64)
	return n, true
}
