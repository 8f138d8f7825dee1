// Package ratelimit reads the headers by which services report their rate limits. Set
// Classify in an insist.Policy:
//
//	policy := insist.Standard()
//	policy.Classify = ratelimit.Classify
//	policy.MaxRetryAfter = time.Hour // else a longer limit ends the call at once
//
// # What is read
//
// A limit counts if the response says that nothing of it is left, and when it resets. The
// IETF's draft (10 and 11) has one header for both:
//
//	RateLimit: "name";r=0;t=30
//
// Other services use a pair of headers: the name of one contains RateLimit- or Rate-Limit-,
// and then Remaining; the other has the same name with Reset instead of Remaining. Examples:
//
//	Name                                      Of                        Reset is
//	RateLimit-Remaining                       older IETF drafts         seconds
//	                                          GitLab                    a Unix time
//	X-RateLimit-Remaining                     GitHub and many others    a Unix time
//	                                          Reddit                    seconds
//	                                          Mastodon, Jira            a date
//	                                          Discord                   a Unix time with a fraction,
//	                                                                    and seconds in Reset-After
//	X-Rate-Limit-Remaining                    X, Okta                   a Unix time
//	X-RateLimit-Remaining-Requests, -Tokens   OpenAI, Groq              a duration: 6m0s
//	                                          Azure OpenAI              seconds
//	X-RateLimit-Remaining-Requests-Day        Cerebras                  seconds
//	X-RateLimit-Requests-Remaining            Linear                    a Unix time in milliseconds
//	Anthropic-RateLimit-Requests-Remaining    Anthropic                 a date
//	X-Sentry-Rate-Limit-Remaining             Sentry                    a Unix time
//
// A Reset may be, with a fraction or without,
//
//   - a number of seconds;
//   - a Unix time in seconds, if it is more than 10⁹, or in milliseconds, if it is
//     more than 10¹¹;
//   - a duration as Go prints it;
//   - a date: RFC 3339, or an HTTP-date.
//
// A time is compared with the response's own Date, so the two clocks need not agree. A
// negative Remaining means that nothing is left if the Reset is in the future and the
// Limit of that name is not negative; a negative Limit means that there is no limit. If
// several limits are used up, the longest wait counts. A malformed value is ignored. A
// wait too large for a time.Duration, or until the year 2262 or later, becomes the longest
// Duration.
//
// Retry-After and the similar headers in milliseconds take precedence: if one of them is
// valid, no limit is read. insist itself obeys them before every retry.
package ratelimit

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/retryafter"
)

// Classify is a rule for insist.Policy.Classify. It looks at three statuses:
//
//   - 403, which GitHub sends when a limit is used up: the request is retried if
//     X-RateLimit-Remaining says that nothing is left, or if there is a Retry-After. A
//     POST is retried as well, since the server did not act on it. The other rules
//     decide about any other 403, about one with x-should-retry: false, and about one
//     with X-RateLimit-Reset-After: Discord sends that with a 403 for a forbidden
//     request, and bans clients that send too many of them.
//   - 429 and 503: the other rules decide whether the request is retried, and the
//     limit decides how long the wait is.
//
// The wait ends when the limit resets. If that time has already passed, the Policy's
// Backoff decides. If the wait is longer than the Policy's MaxRetryAfter (30 seconds unless
// set), there is no retry, and the caller gets that response. GitHub's main limit may take
// an hour to reset.
//
// To combine Classify with a rule of your own, call it in a function literal.
func Classify(_ *http.Request, resp *http.Response, _ error, _ int) insist.Decision {
	if resp == nil {
		return insist.Decision{}
	}
	switch resp.StatusCode {
	case http.StatusForbidden:
		wait, limited := forbidden(resp.Header, time.Now())
		if limited && !strings.EqualFold(resp.Header.Get("X-Should-Retry"), "false") {
			return insist.Decision{Verdict: insist.Retry, Wait: wait}
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		wait, _ := limit(resp.Header, time.Now())
		return insist.Decision{Wait: wait}
	}
	return insist.Decision{}
}

// limit returns how long a limit lasts, and whether there is one. If there is a valid
// Retry-After, the time is zero, since insist reads that header itself.
func limit(h http.Header, now time.Time) (longest time.Duration, limited bool) {
	if _, asked := retryafter.Wait(h, now); asked {
		return 0, true
	}
	if t, ok := usedUp(strings.Join(h["Ratelimit"], ",")); ok {
		longest, limited = t, true
	}
	for name := range h {
		if !isRemaining(name) {
			continue
		}
		if wait, ok := spent(h, name, now); ok {
			longest, limited = max(longest, wait), true
		}
	}
	return longest, limited
}

// forbidden is limit for a 403. Other limits are not reported by a 403.
func forbidden(h http.Header, now time.Time) (time.Duration, bool) {
	if _, asked := retryafter.Wait(h, now); asked {
		return 0, true
	}
	if _, discord := h["X-Ratelimit-Reset-After"]; discord {
		return 0, false
	}
	return spent(h, "X-Ratelimit-Remaining", now)
}
