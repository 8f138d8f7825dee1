package ratelimit

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// now is 1767225600 in Unix time.
var now = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// head makes a header of lines.
func head(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

const longest = time.Duration(math.MaxInt64)

// limits have the wait that a header asks for; -1 means that it says nothing.
var limits = []struct {
	name   string
	header http.Header
	want   time.Duration
}{
	{"nothing", head(), -1},

	// What services document, and where. (GitHub: docs.github.com, "Rate limits for the REST API".)
	{"GitHub", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767226800"), 20 * time.Minute},
	{"GitHub, something left", head("X-RateLimit-Remaining: 14", "X-RateLimit-Reset: 1767226800"), -1},
	{"GitHub, secondary", head("X-RateLimit-Remaining: 14", "X-RateLimit-Reset: 1767226800", "Retry-After: 60"), 0},
	{"GitHub, both", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767226800", "Retry-After: 60"), 0},
	// docs.gitlab.com, "Rate limits", "Response headers"
	{"GitLab", head("RateLimit-Remaining: 0", "RateLimit-Reset: 1767225630", "RateLimit-Limit: 60"), 30 * time.Second},
	// docs.x.com/fundamentals/rate-limits
	{"X", head("x-rate-limit-limit: 900", "x-rate-limit-remaining: 0", "x-rate-limit-reset: 1767225630"), 30 * time.Second},
	// developers.openai.com/api/docs/guides/rate-limits, "Rate limits in headers"
	{"OpenAI, requests", head("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1s", "x-ratelimit-remaining-tokens: 149984", "x-ratelimit-reset-tokens: 6m0s"), time.Second},
	{"OpenAI, tokens", head("x-ratelimit-remaining-requests: 59", "x-ratelimit-reset-requests: 1s", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6m0s"), 6 * time.Minute},
	{"OpenAI, tokens of the project", head("x-ratelimit-remaining-tokens: 57000", "x-ratelimit-reset-tokens: 1s", "x-ratelimit-remaining-project-tokens: 0", "x-ratelimit-reset-project-tokens: 3s"), 3 * time.Second},
	{"OpenAI, milliseconds", head("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 20ms"), 20 * time.Millisecond},
	{"OpenAI, hours", head("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1h2m3s"), 3723 * time.Second},
	{"OpenAI, something left", head("x-ratelimit-remaining-requests: 59", "x-ratelimit-reset-requests: 1s", "x-ratelimit-remaining-tokens: 149984", "x-ratelimit-reset-tokens: 6m0s"), -1},
	// console.groq.com/docs/rate-limits
	{"Groq", head("x-ratelimit-remaining-requests: 14370", "x-ratelimit-reset-requests: 2m59.56s", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 7.66s"), 7660 * time.Millisecond},
	// inference-docs.cerebras.ai/support/rate-limits
	{"Cerebras", head("x-ratelimit-remaining-requests-day: 0", "x-ratelimit-reset-requests-day: 33011.382867", "x-ratelimit-remaining-tokens-minute: 0", "x-ratelimit-reset-tokens-minute: 11.382867"), 33011383 * time.Millisecond},
	// docs.digitalocean.com, "Quota-Specific Response Headers For Serverless Inference"
	{"DigitalOcean", head("x-ratelimit-remaining-tokens-per-minute: 0", "x-ratelimit-reset-tokens-per-minute: 1767225630"), 30 * time.Second},
	// learn.microsoft.com, questions 5625878 (no limit known), and a 429 as it was seen (limit exceeded)
	{"Azure OpenAI, no limit", head("x-ratelimit-limit-tokens: -1", "x-ratelimit-remaining-tokens: -1", "x-ratelimit-reset-tokens: 0"), -1},
	{"Azure OpenAI, exceeded", head("x-ratelimit-remaining-requests: 9", "x-ratelimit-remaining-tokens: -1", "x-ratelimit-reset-tokens: 59"), 59 * time.Second},
	// platform.claude.com/docs/en/api/rate-limits, "Response headers"
	{"Anthropic, requests", head("anthropic-ratelimit-requests-limit: 50", "anthropic-ratelimit-requests-remaining: 0", "anthropic-ratelimit-requests-reset: 2026-01-01T00:00:40Z"), 40 * time.Second},
	{"Anthropic, tokens", head("anthropic-ratelimit-requests-remaining: 49", "anthropic-ratelimit-requests-reset: 2026-01-01T00:00:40Z", "anthropic-ratelimit-input-tokens-remaining: 0", "anthropic-ratelimit-input-tokens-reset: 2026-01-01T00:00:07Z", "anthropic-ratelimit-output-tokens-remaining: 0", "anthropic-ratelimit-output-tokens-reset: 2026-01-01T00:00:05Z"), 7 * time.Second},
	{"Anthropic, something left", head("anthropic-ratelimit-requests-remaining: 49", "anthropic-ratelimit-requests-reset: 2026-01-01T00:00:40Z"), -1},
	// docs.discord.com/developers/topics/rate-limits, "Header Format"
	{"Discord", head("X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225601.123", "X-RateLimit-Bucket: abcd1234"), 1123 * time.Millisecond},
	{"Discord, both", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225602", "X-RateLimit-Reset-After: 1.25"), 1250 * time.Millisecond},
	{"Discord, something left", head("X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 1767225602", "X-RateLimit-Reset-After: 1.25"), -1},
	// developer.atlassian.com/cloud/jira/platform/rate-limiting
	{"Jira", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 2026-01-01T00:00Z"), time.Minute},
	// docs.joinmastodon.org/api/rate-limits
	{"Mastodon", head("X-RateLimit-Limit: 300", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 2026-01-01T00:05:00.019685Z"), 5*time.Minute + 20*time.Millisecond},
	// github.com/reddit-archive/reddit/wiki/API
	{"Reddit", head("X-Ratelimit-Remaining: 0.0", "X-Ratelimit-Reset: 61", "X-Ratelimit-Used: 1000"), 61 * time.Second},
	{"Reddit, something left", head("X-Ratelimit-Remaining: 0.5", "X-Ratelimit-Reset: 61"), -1},
	// linear.app/developers/rate-limiting
	{"Linear", head("X-RateLimit-Requests-Limit: 1500", "X-RateLimit-Requests-Remaining: 0", "X-RateLimit-Requests-Reset: 1767225601250"), 1250 * time.Millisecond},
	// docs.sentry.io/api/ratelimits
	{"Sentry", head("X-Sentry-Rate-Limit-Remaining: 0", "X-Sentry-Rate-Limit-Reset: 1767225601", "X-Sentry-Rate-Limit-ConcurrentRemaining: 0"), time.Second},
	// developers.brevo.com/docs/limit-headers
	{"Brevo", head("x-sib-ratelimit-remaining: 0", "x-sib-ratelimit-reset: 12"), 12 * time.Second},

	{"seconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30"), 30 * time.Second},
	{"milliseconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225600250"), 250 * time.Millisecond},
	{"older draft", head("RateLimit-Limit: 100", "RateLimit-Remaining: 0", "RateLimit-Reset: 30"), 30 * time.Second},
	{"draft", head(`RateLimit: "default";r=0;t=30`), 30 * time.Second},
	{"draft, something left", head(`RateLimit: "default";r=1;t=30`), -1},
	{"draft, two lines", head(`RateLimit: "minute";r=0;t=30`, `RateLimit: "hour";r=0;t=600`), 10 * time.Minute},
	{"draft, one line of two malformed", head(`RateLimit: "minute";r=0;t=30`, `RateLimit: hour=0`), -1},

	{"no such name", head("Remaining: 0", "Reset: 5"), -1},
	{"no word of its own", head("X-RateLimit-Remainings: 0", "X-RateLimit-Resets: 5"), -1},
	{"the wrong way around", head("Remaining-RateLimit-: 0", "Reset-RateLimit-: 5"), -1},
	{"two limits mixed", head("X-RateLimit-Remaining-Requests: 0", "X-RateLimit-Reset-Tokens: 5s"), -1},

	{"the longest of those used up", head(`RateLimit: "a";r=9;t=900`, "RateLimit-Remaining: 0", "RateLimit-Reset: 3", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"a malformed one beside another", head(`RateLimit: "a";`, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"two families mixed", head("RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), -1},

	{"past", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225599"), 0},
	{"just now", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225600"), 0},
	{"past, in milliseconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225599999"), 0},
	{"zero", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 0"), 0},
	{"no reset", head("X-RateLimit-Remaining: 0"), -1},
	{"no remaining", head("X-RateLimit-Reset: 30"), -1},
	{"no window", head(`RateLimit: "default";r=0`), -1},

	{"the server's clock", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767312000", "Date: Thu, 01 Jan 2026 23:59:50 GMT"), 10 * time.Second},
	{"the server's clock, seconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30", "Date: Thu, 01 Jan 2026 23:59:50 GMT"), 30 * time.Second},
	{"a bad Date", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225630", "Date: today"), 30 * time.Second},

	{"most seconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1000000000"), 1e9 * time.Second},
	{"least time", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1000000001"), 0},
	{"last time in seconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 100000000000"), longest},
	{"first one in milliseconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 100000000001"), 0},
	{"the year 2279, in milliseconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 9767225591999"), longest},
	{"absurd", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 9223372036854775807"), longest},
	{"overflows int64", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 9223372036854775808"), longest},
	{"overflows anything", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1"+strings.Repeat("0", 400)), longest},
	{"draft, absurd", head(`RateLimit: "default";r=0;t=999999999999999`), longest},

	{"remaining: zeros", head("X-RateLimit-Remaining: 000", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"remaining: empty", head("X-RateLimit-Remaining: ", "X-RateLimit-Reset: 5"), -1},
	{"remaining: negative", head("X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"remaining: very negative", head("X-RateLimit-Limit: 10", "X-RateLimit-Remaining: -18446744073709551616", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"remaining: negative, as is the limit", head("X-RateLimit-Limit: -1", "X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 5"), -1},
	{"remaining: negative, no reset", head("X-RateLimit-Remaining: -1"), -1},
	{"remaining: negative, reset past", head("X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 1767225599"), -1},
	{"remaining: twice negative", head("X-RateLimit-Remaining: --1", "X-RateLimit-Reset: 5"), -1},
	{"remaining: words", head("X-RateLimit-Remaining: none", "X-RateLimit-Reset: 5"), -1},
	{"remaining: large", head("X-RateLimit-Remaining: 18446744073709551616", "X-RateLimit-Reset: 5"), -1},
	{"remaining: little", head("X-RateLimit-Remaining: 0."+strings.Repeat("0", 99)+"1", "X-RateLimit-Reset: 5"), -1},
	{"reset: negative", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: -5"), -1},
	{"reset: plus sign", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: +5"), -1},
	{"reset: fraction", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1.5"), 1500 * time.Millisecond},
	{"reset: fraction of a time", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225600.0001"), time.Millisecond},
	{"reset: fraction of a time in milliseconds", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225600250.5"), 251 * time.Millisecond},
	{"reset: exponent", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1e3"), -1},
	{"reset: infinite", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: Inf"), -1},
	{"reset: negative duration", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: -1s"), -1},
	{"reset: duration without unit", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1m5"), -1},
	{"reset: duration of days", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1d"), -1},
	{"reset: absurd duration", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 99999999999999h1s"), longest},
	{"reset: no duration at all", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 0s"), 0},
	{"reset: HTTP-date", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: Thu, 01 Jan 2026 00:00:05 GMT"), 5 * time.Second},
	{"reset: date past", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 2025-12-31T23:59:59Z"), 0},
	{"reset: date of no zone", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 2026-01-01T00:00:05"), -1},
	{"reset: words", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: soon"), -1},
	{"reset: large, then words", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 99999999999999999999x"), -1},
	{"reset after: malformed", head("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5", "X-RateLimit-Reset-After: soon"), 5 * time.Second},

	{"Retry-After", head("Retry-After: 7"), 0},
	{"Retry-After, a date", head("Retry-After: Fri, 31 Dec 2027 23:59:59 GMT"), 0},
	{"Retry-After, second line", head("Retry-After: soon", "Retry-After: 7"), 0},
	{"Retry-After, malformed", head("Retry-After: soon"), -1},
	{"Retry-After, empty", head("Retry-After: "), -1},
	{"Retry-After, a fraction (Shopify), and a limit", head("Retry-After: 2.0", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 0},
	{"Retry-After, malformed, and a limit", head("Retry-After: 1e5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 5 * time.Second},
	{"milliseconds go before a limit", head("Retry-After-Ms: 12.5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 0},
	{"Azure Cosmos DB", head("x-ms-retry-after-ms: 53", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 0},
	{"AWS", head("x-amz-retry-after: 1500", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 0},
	{"malformed milliseconds", head("Retry-After-Ms: 1.2.3", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"), 5 * time.Second},
}

func TestLimit(t *testing.T) {
	for _, c := range limits {
		wait, limited := limit(c.header, now)
		if !limited {
			assert.Zero(t, wait, c.name)
			wait = -1
		}
		assert.Equal(t, c.want, wait, c.name)
	}
}

func TestClassify(t *testing.T) {
	const wait = 30 * time.Second
	limited := []string{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 30"}
	for _, c := range []struct {
		name   string
		status int
		header []string
		want   insist.Decision
	}{
		{"403", 403, limited, insist.Decision{Verdict: insist.Retry, Wait: wait}},
		{"403, Retry-After", 403, []string{"Retry-After: 30"}, insist.Decision{Verdict: insist.Retry}},
		{"403, not to be retried", 403, append(limited, "x-should-retry: False"), insist.Decision{}},
		{"403, no permission", 403, []string{"X-RateLimit-Remaining: 4999", "X-RateLimit-Reset: 30"}, insist.Decision{}},
		{"403, plain", 403, nil, insist.Decision{}},
		{"403, negative", 403, []string{"X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 30"}, insist.Decision{Verdict: insist.Retry, Wait: wait}},
		{"403, no limit", 403, []string{"X-RateLimit-Limit: -1", "X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 0"}, insist.Decision{}},
		{"403, milliseconds", 403, []string{"Retry-After-Ms: 30"}, insist.Decision{Verdict: insist.Retry}},
		{"403 of Discord", 403, []string{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225602", "X-RateLimit-Reset-After: 1"}, insist.Decision{}},
		{"403 beside a used up limit of another kind", 403, []string{"anthropic-ratelimit-requests-remaining: 0", "anthropic-ratelimit-requests-reset: 2999-01-01T00:00:40Z", "RateLimit: a;r=0;t=20"}, insist.Decision{}},
		{"429", 429, limited, insist.Decision{Wait: wait}},
		{"429, Retry-After", 429, []string{"Retry-After: 30"}, insist.Decision{}},
		{"429, plain", 429, nil, insist.Decision{}},
		{"503", 503, limited, insist.Decision{Wait: wait}},
		{"503, plain", 503, nil, insist.Decision{}},
		{"200, the last one of a window", 200, limited, insist.Decision{}},
		{"301", 301, limited, insist.Decision{}},
		{"401", 401, limited, insist.Decision{}},
		{"404", 404, limited, insist.Decision{}},
		{"500", 500, limited, insist.Decision{}},
		{"529", 529, limited, insist.Decision{}},
	} {
		resp := &http.Response{StatusCode: c.status, Header: head(c.header...)}
		assert.Equal(t, c.want, Classify(nil, resp, nil, 1), c.name)
	}
	assert.Zero(t, Classify(nil, nil, errors.New("no response"), 1), "an error")
	assert.Zero(t, Classify(nil, &http.Response{StatusCode: 403}, nil, 1), "no header")
}

// answers is a base that gives one response after the other.
type answers []*http.Response

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	resp := (*a)[0]
	*a = (*a)[1:]
	resp.Body = http.NoBody
	return resp, nil
}

// call makes one call through Standard with Classify, which edit may change, and
// returns the last status and the attempts.
func call(t *testing.T, method string, edit func(*insist.Policy), responses ...*http.Response) (int, []insist.Attempt) {
	policy := insist.Standard()
	policy.Classify = Classify
	policy.Backoff = insist.Constant(time.Millisecond)
	edit(&policy)
	base := answers(responses)
	ctx, record := insist.WithRecord(context.Background())
	req, err := http.NewRequestWithContext(ctx, method, "http://api.example.com/", nil)
	require.NoError(t, err)
	resp, err := (&insist.RetryTransport{Base: &base, Policy: policy}).RoundTrip(req)
	require.NoError(t, err)
	return resp.StatusCode, record.Calls()[0]
}

func response(status int, lines ...string) *http.Response {
	return &http.Response{StatusCode: status, Header: head(lines...)}
}

// The clock of a bubble stands in the year 2000, when Unix times were shorter.
func bubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now))
		test(t)
	})
}

func TestLimitsAreWaitedFor(t *testing.T) {
	edit := func(p *insist.Policy) { p.MaxRetryAfter = time.Hour }
	for _, c := range []struct {
		name, method string
		first        *http.Response
		want         time.Duration
	}{
		{"403, reset", "GET", response(403, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767226800"), 20 * time.Minute},
		{"403, Retry-After", "GET", response(403, "Retry-After: 60"), time.Minute},
		{"403, Retry-After before reset", "GET", response(403, "Retry-After: 60", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767226800"), time.Minute},
		{"403, reset past", "GET", response(403, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767225000"), time.Millisecond},
		{"403, POST", "POST", response(403, "Retry-After: 60"), time.Minute},
		{"429", "GET", response(429, "RateLimit: a;r=0;t=20"), 20 * time.Second},
		{"429, POST", "POST", response(429, "RateLimit: a;r=0;t=20"), 20 * time.Second},
		{"503", "GET", response(503, "RateLimit: a;r=0;t=20"), 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				begin := time.Now()
				status, attempts := call(t, c.method, edit, c.first, response(200))
				assert.Equal(t, 200, status)
				assert.Equal(t, c.want, time.Since(begin))
				assert.Len(t, attempts, 2)
			})
		})
	}
}

func TestWhatIsNotWaitedFor(t *testing.T) {
	asItIs := func(*insist.Policy) {}
	for _, c := range []struct {
		name, method string
		first        *http.Response
		edit         func(*insist.Policy)
		want         insist.Reason
	}{
		{"no permission", "GET", response(403), asItIs, insist.ReasonAccepted},
		{"longer than MaxRetryAfter", "GET", response(403, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1767226800"), asItIs, insist.ReasonWait},
		{"absurd", "GET", response(429, "RateLimit: a;r=0;t=999999999999999"), asItIs, insist.ReasonWait},
		{"503, POST: it may have been acted on", "POST", response(503, "RateLimit: a;r=0;t=20"), asItIs, insist.ReasonMaybeDone},
		{"429, where the policy takes it for an answer", "GET", response(429, "RateLimit: a;r=0;t=20"),
			func(p *insist.Policy) { p.RetryableStatus = insist.StatusAbove(499) }, insist.ReasonAccepted},
		{"429, not to be retried", "GET", response(429, "RateLimit: a;r=0;t=20", "x-should-retry: false"), asItIs, insist.ReasonDecision},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				begin := time.Now()
				status, attempts := call(t, c.method, c.edit, c.first)
				assert.Equal(t, c.first.StatusCode, status)
				assert.Zero(t, time.Since(begin))
				assert.Equal(t, c.want, attempts[0].Reason)
			})
		})
	}
}

// What says nothing costs nothing, however many headers there are.
func TestCost(t *testing.T) {
	h := head("Date: Thu, 01 Jan 2026 00:00:00 GMT", "Content-Type: text/plain", "Content-Length: 3",
		"X-RateLimit-Limit: 5000", "X-RateLimit-Remaining: 4999", "X-RateLimit-Reset: 1767226800", "X-Request-Id: a-b")
	for _, status := range []int{200, 403, 404, 429, 503} {
		resp := &http.Response{StatusCode: status, Header: h}
		assert.Zero(t, testing.AllocsPerRun(100, func() { Classify(nil, resp, nil, 1) }), status)
	}
}
