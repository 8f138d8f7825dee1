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
// there will be more. The IETF's draft (10 and 11) has one header for both:
//
//	RateLimit: "name";r=0;t=30
//
// Others have a pair: one with RateLimit- or Rate-Limit- and then Remaining in its
// name, and one with the same name but Reset for Remaining. Among them are:
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
// A time counts from the response's own Date, so that the clocks need not agree. A
// Remaining below zero counts as nothing left if the Reset is still to come, and
// the Limit of that name is not negative, too, which means that there is none. Of
// several limits that are used up the longest counts. What is malformed is
// ignored; a wait that is too large for a time.Duration is the longest one.
//
// Retry-After and its like in milliseconds take precedence: where one of them is
// valid, no limit is read. insist itself obeys those, whatever asks for the
// attempt.
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
//   - 403, by which GitHub turns requests away: another attempt is made when
//     X-RateLimit-Remaining says that nothing is left, or when there is a
//     Retry-After. A POST is retried as well, since it was not acted on. Any other
//     403 is left to the other rules: one with x-should-retry: false, and one with
//     X-RateLimit-Reset-After, since Discord answers 403 to what is forbidden, and
//     bans who asks too often.
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

// limit returns for how long a limit lasts, and whether there is one. It is zero
// where Retry-After says it: insist reads that itself.
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

// forbidden is limit for a 403. The other limits are no reason for one.
func forbidden(h http.Header, now time.Time) (time.Duration, bool) {
	if _, asked := retryafter.Wait(h, now); asked {
		return 0, true
	}
	if _, discord := h["X-Ratelimit-Reset-After"]; discord {
		return 0, false
	}
	return spent(h, "X-Ratelimit-Remaining", now)
}
