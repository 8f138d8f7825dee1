package insist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type retryLater struct{ after time.Duration }

func (retryLater) Error() string { return "later" }

func (e retryLater) RetryAfter() time.Duration { return e.after }

func says(v Verdict, wait time.Duration) Policy {
	return Policy{Classify: func(*http.Request, *http.Response, error, int) Decision {
		return Decision{Verdict: v, Wait: wait}
	}}
}

// TestDecide is the precedence of the rules: a line per case.
func TestDecide(t *testing.T) {
	const s, def = time.Second, 2 * time.Second
	lost := io.ErrUnexpectedEOF
	never := func(error) bool { return false }
	always := func(error) bool { return true }
	post, get := outcome{}, outcome{idempotent: true}
	with := func(o outcome, change ...func(*outcome)) outcome {
		for _, f := range change {
			f(&o)
		}
		return o
	}
	canceled := func(o *outcome) { o.canceled = true }
	partly := func(o *outcome) { o.replayable = false }
	badBody := func(o *outcome) { o.badBody = true }
	unsent := func(o *outcome) { o.unsent = true }
	third := func(o *outcome) { o.number = 3 }
	expects := func(o *outcome) { o.req.Header.Set("Expect", "100-continue") }

	for _, c := range []struct {
		name   string
		policy Policy
		base   outcome
		resp   *http.Response
		err    error
		change []func(*outcome)
		want   action
	}{
		// Statuses.
		{"200", Policy{}, get, response(200), nil, nil, action{false, 0, ReasonSuccess}},
		{"400", Policy{}, get, response(400), nil, nil, action{false, 0, ReasonAccepted}},
		{"401", Policy{}, get, response(401), nil, nil, action{true, def, ReasonStatus}},
		{"404 costs", Policy{}, get, response(404), nil, nil, action{true, def, ReasonStatus}},
		{"500 to a POST", Policy{}, post, response(500), nil, nil, action{true, def, ReasonStatus}},
		{"101", Policy{RetryableStatus: StatusAbove(0)}, get, response(101), nil, nil, action{false, 0, ReasonSuccess}},
		{"0 from a fake", Policy{}, get, response(0), nil, nil, action{false, 0, ReasonSuccess}},
		{"999 from a fake", Policy{}, get, response(999), nil, nil, action{true, def, ReasonStatus}},
		{"own status rule", Policy{RetryableStatus: StatusAbove(499)}, get, response(404), nil, nil, action{false, 0, ReasonAccepted}},
		{"417 after Expect", Policy{RetryableStatus: StatusAbove(499)}, post, response(417), nil, []func(*outcome){expects}, action{true, 0, ReasonStatus}},
		{"417 without Expect", Policy{RetryableStatus: StatusAbove(499)}, post, response(417), nil, nil, action{false, 0, ReasonAccepted}},

		// Errors.
		{"lost GET", Policy{}, get, nil, lost, nil, action{true, def, ReasonError}},
		{"lost POST", Policy{}, post, nil, lost, nil, action{false, 0, ReasonMaybeDone}},
		{"unsent POST", Policy{}, post, nil, lost, []func(*outcome){unsent}, action{true, def, ReasonError}},
		{"a RetryTransport below has given up", Policy{}, get, nil, &Error{Reason: ReasonError, Err: lost}, nil, action{false, 0, ReasonError}},
		{"permanent", Policy{}, get, nil, http.ErrSchemeMismatch, nil, action{false, 0, ReasonError}},
		{"marked permanent", Policy{RetryableError: always}, get, nil, Permanent(lost), nil, action{false, 0, ReasonError}},
		{"own error rule says no", Policy{RetryableError: never}, get, nil, lost, nil, action{false, 0, ReasonError}},
		{"own error rule replaces the classes", Policy{RetryableError: always}, get, nil, http.ErrSchemeMismatch, nil, action{true, def, ReasonError}},
		{"own error rule doesn't pass the gate", Policy{RetryableError: always}, post, nil, lost, nil, action{false, 0, ReasonMaybeDone}},
		{"net/http's own timeout", Policy{}, get, nil, context.DeadlineExceeded, nil, action{true, def, ReasonError}},

		// Never.
		{"canceled, error", says(Retry, 0), get, nil, lost, []func(*outcome){canceled}, action{false, 0, ReasonContext}},
		{"canceled, response", Policy{}, get, response(503), nil, []func(*outcome){canceled}, action{false, 0, ReasonContext}},
		{"canceled, success", Policy{}, get, response(200), nil, []func(*outcome){canceled}, action{false, 0, ReasonSuccess}},
		{"canceled, Classify isn't asked", says(Retry, 0), get, response(200), nil, []func(*outcome){canceled}, action{false, 0, ReasonSuccess}},
		{"caller's body failed", says(Retry, 0), get, nil, lost, []func(*outcome){badBody}, action{false, 0, ReasonBody}},
		{"body not whole", says(Retry, 0), get, response(503), nil, []func(*outcome){partly}, action{false, 0, ReasonBody}},
		{"body not whole, success", Policy{}, get, response(200), nil, []func(*outcome){partly}, action{false, 0, ReasonSuccess}},

		// Classify, then the server, then the rest.
		{"Classify retries a 200", says(Retry, 0), get, response(200), nil, nil, action{true, def, ReasonDecision}},
		{"Classify stops a 503", says(Stop, 0), get, response(503), nil, nil, action{false, 0, ReasonDecision}},
		{"Classify doesn't know", says(unknown, 0), get, response(503), nil, nil, action{true, def, ReasonStatus}},
		{"Classify says nonsense", says(Verdict(7), 0), get, response(503), nil, nil, action{true, def, ReasonStatus}},
		{"Classify beats the server", says(Stop, 0), get, response(503, "X-Should-Retry", "true"), nil, nil, action{false, 0, ReasonDecision}},
		{"Classify passes the gate", says(Retry, 0), post, nil, lost, nil, action{true, def, ReasonDecision}},
		{"Classify retries the permanent", says(Retry, 0), get, nil, http.ErrSchemeMismatch, nil, action{true, def, ReasonDecision}},
		{"Classify's wait", says(Retry, 5*s), get, response(503), nil, nil, action{true, 5 * s, ReasonDecision}},
		{"Classify's wait alone", says(unknown, 5*s), get, response(503), nil, nil, action{true, 5 * s, ReasonStatus}},
		{"Classify's no wait", says(Retry, -1), get, response(503), nil, nil, action{true, 0, ReasonDecision}},
		{"Classify's wait and a longer Retry-After", says(Retry, s), get, response(503, "Retry-After", "9"), nil, nil, action{true, 9 * s, ReasonDecision}},
		{"Classify's wait is too long", says(Retry, time.Hour), get, response(503), nil, nil, action{false, time.Hour, ReasonWait}},
		{"server says yes", Policy{}, get, response(400, "X-Should-Retry", "true"), nil, nil, action{true, def, ReasonDecision}},
		{"server says no", Policy{}, get, response(503, "X-Should-Retry", "false"), nil, nil, action{false, 0, ReasonDecision}},
		{"server doesn't pass the gate", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(500, "X-Should-Retry", "true"), nil, nil, action{false, 0, ReasonMaybeDone}},

		// NonIdempotent.
		{"only unsent: 500", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(500), nil, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: 503", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(503), nil, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: 503 with Retry-After", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(503, "Retry-After", "1"), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 408", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(408), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 425", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(425), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 429", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(429), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 417", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(417), nil, []func(*outcome){expects}, action{true, 0, ReasonStatus}},
		{"only unsent: 413", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(413), nil, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: 413 with Retry-After", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(413, "Retry-After", "1"), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 521", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(521), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 522", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(522), nil, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: 523", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(523), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: 524", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(524), nil, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: 529", Policy{NonIdempotent: ResendOnlyUnsent}, post, response(529), nil, nil, action{true, def, ReasonStatus}},
		{"only unsent: lost", Policy{NonIdempotent: ResendOnlyUnsent}, post, nil, lost, nil, action{false, 0, ReasonMaybeDone}},
		{"only unsent: unsent", Policy{NonIdempotent: ResendOnlyUnsent}, post, nil, lost, []func(*outcome){unsent}, action{true, def, ReasonError}},
		{"only unsent: idempotent", Policy{NonIdempotent: ResendOnlyUnsent}, get, response(500), nil, nil, action{true, def, ReasonStatus}},
		{"even if lost", Policy{NonIdempotent: ResendEvenIfLost}, post, nil, lost, nil, action{true, def, ReasonError}},
		{"nonsense is the default", Policy{NonIdempotent: -5}, post, nil, lost, nil, action{false, 0, ReasonMaybeDone}},
		{"nonsense is the default, answered", Policy{NonIdempotent: 99}, post, response(500), nil, nil, action{true, def, ReasonStatus}},

		// Attempts.
		{"third of three", Policy{}, get, response(503), nil, []func(*outcome){third}, action{false, 0, ReasonAttempts}},
		{"third of three, good", Policy{}, get, response(200), nil, []func(*outcome){third}, action{false, 0, ReasonSuccess}},
		{"third of four", Policy{MaxAttempts: 4}, get, response(503), nil, []func(*outcome){third}, action{true, def, ReasonStatus}},
		{"negative is no bound", Policy{MaxAttempts: -4}, get, response(503), nil, []func(*outcome){func(o *outcome) { o.number = 1 << 30 }}, action{true, def, ReasonStatus}},

		// Waits.
		{"Retry-After above Backoff", Policy{}, get, response(503, "Retry-After", "5"), nil, nil, action{true, 5 * s, ReasonStatus}},
		{"Backoff above Retry-After", Policy{}, get, response(503, "Retry-After", "1"), nil, nil, action{true, def, ReasonStatus}},
		{"Retry-After on any status", Policy{Backoff: Constant(0)}, get, response(404, "Retry-After", "1"), nil, nil, action{true, s, ReasonStatus}},
		{"garbage", Policy{}, get, response(503, "Retry-After", "soon"), nil, nil, action{true, def, ReasonStatus}},
		{"milliseconds", Policy{Backoff: Constant(0)}, get, response(429, "Retry-After-Ms", "10"), nil, nil, action{true, s / 100, ReasonStatus}},
		{"the longest allowed", Policy{}, get, response(503, "Retry-After", "30"), nil, nil, action{true, 30 * s, ReasonStatus}},
		{"too long", Policy{}, get, response(503, "Retry-After", "31"), nil, nil, action{false, 31 * s, ReasonWait}},
		{"none allowed", Policy{MaxRetryAfter: -1}, get, response(503, "Retry-After", "1"), nil, nil, action{false, s, ReasonWait}},
		{"none allowed, none asked", Policy{MaxRetryAfter: -1}, get, response(503, "Retry-After", "0"), nil, nil, action{true, def, ReasonStatus}},
		{"longer allowed", Policy{MaxRetryAfter: time.Hour}, get, response(503, "Retry-After", "31"), nil, nil, action{true, 31 * s, ReasonStatus}},
		{"Backoff isn't bound by it", Policy{Backoff: Constant(time.Hour)}, get, response(503), nil, nil, action{true, time.Hour, ReasonStatus}},
		{"negative Backoff", Policy{Backoff: func(int) time.Duration { return -5 }}, get, response(503), nil, nil, action{true, 0, ReasonStatus}},
		{"an error's wait", Policy{}, get, nil, retryLater{7 * s}, nil, action{true, 7 * s, ReasonError}},
		{"an error's wait, wrapped", Policy{}, get, nil, errors.Join(lost, retryLater{7 * s}), nil, action{true, 7 * s, ReasonError}},
		{"an error's wait, too long", Policy{}, get, nil, retryLater{time.Minute}, nil, action{false, time.Minute, ReasonWait}},
		{"an error's negative wait", Policy{}, get, nil, retryLater{-s}, nil, action{true, def, ReasonError}},
	} {
		o := with(c.base, func(o *outcome) {
			o.number, o.replayable, o.resp, o.err = 1, true, c.resp, c.err
			o.req = &http.Request{Header: http.Header{}}
		})
		o = with(o, c.change...)
		assert.Equal(t, c.want, c.policy.bound(t.Context(), &o, c.policy.assess(&o)), c.name)
	}
}

func TestNoWaitPastTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for wait, want := range map[time.Duration]action{
		time.Minute:   {true, time.Minute, ReasonStatus},
		time.Hour:     {false, time.Hour, ReasonWait},
		2 * time.Hour: {false, 2 * time.Hour, ReasonWait},
	} {
		p := Policy{Backoff: Constant(wait)}
		o := outcome{number: 1, req: &http.Request{}, resp: response(503), replayable: true, idempotent: true}
		assert.Equal(t, want, p.bound(ctx, &o, p.assess(&o)))
	}
}

func TestIdempotent(t *testing.T) {
	key := http.Header{"Idempotency-Key": {"1"}}
	xKey := http.Header{"X-Idempotency-Key": nil} // as net/http allows: known, but not sent
	for _, c := range []struct {
		name   string
		method string
		header http.Header
		want   bool
	}{
		{"no method", "", nil, true},
		{"GET", "GET", nil, true},
		{"HEAD", "HEAD", nil, true},
		{"OPTIONS", "OPTIONS", nil, true},
		{"TRACE", "TRACE", nil, true},
		{"PUT", "PUT", nil, true},
		{"DELETE", "DELETE", nil, true},
		{"POST", "POST", nil, false},
		{"PATCH", "PATCH", nil, false},
		{"CONNECT", "CONNECT", nil, false},
		{"methods have a case", "get", nil, false},
		{"POST with a key", "POST", key, true},
		{"POST with an empty key", "POST", xKey, true},
	} {
		got := (&Policy{}).idempotent(&http.Request{Method: c.method, Header: c.header})
		assert.Equal(t, c.want, got, c.name)
	}
	p := Policy{Idempotent: func(r *http.Request) bool { return r.Method == "SEARCH" }}
	assert.True(t, p.idempotent(&http.Request{Method: "SEARCH"}))
	assert.False(t, p.idempotent(&http.Request{Method: "GET", Header: key}))
}

// TestStandardStatuses: exactly those that may pass. A 413 is one if it says when.
func TestStandardStatuses(t *testing.T) {
	want := []int{408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
	for _, header := range [][]string{nil, {"Retry-After", "1"}} {
		var got []int
		for code := 100; code < 1000; code++ {
			p := Standard()
			o := outcome{number: 1, req: &http.Request{}, resp: response(code, header...), replayable: true, idempotent: true}
			if p.bound(t.Context(), &o, p.assess(&o)).retry {
				got = append(got, code)
			}
		}
		assert.Equal(t, want, got)
		want = slices.Insert(want, 1, http.StatusRequestEntityTooLarge)
	}
	p := Policy{RetryableStatus: StatusAbove(499)}
	o := outcome{number: 1, req: &http.Request{}, resp: response(413, "Retry-After", "1"), replayable: true, idempotent: true}
	assert.False(t, p.bound(t.Context(), &o, p.assess(&o)).retry, "a rule of the user's own")
}

// TestTheServerSaysWhetherToRetry, whatever the status, on each way into the loop.
func TestTheServerSaysWhetherToRetry(t *testing.T) {
	for _, c := range []struct {
		status   int
		says     string
		attempts int
	}{{200, "true", 2}, {200, "false", 1}, {204, "True", 2}, {404, "true", 2}, {503, "false", 1}, {503, "true", 2}} {
		for name, p := range map[string]Policy{
			"plain": {}, "reported": {OnAttempt: func(context.Context, Attempt) {}}, "one attempt": {MaxAttempts: 1}, "hedged": {Hedge: &Hedge{Delay: time.Hour}},
		} {
			p.Backoff = Constant(0)
			for _, method := range []string{"GET", "PUT", "POST"} {
				for _, body := range []io.Reader{nil, strings.NewReader("hello"), io.MultiReader()} {
					b := script(status(c.status, "X-Should-Retry", c.says), status(200))
					resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, method, "http://x/", body))
					assert.NoError(t, err)
					want := c.attempts
					if p.MaxAttempts == 1 {
						want = 1
					}
					assert.Len(t, b.Arrivals(), want, "%s %s: %v", name, method, c)
					if want == 1 {
						assert.Equal(t, c.status, resp.StatusCode)
					}
				}
			}
		}
	}
}

func TestShouldRetryHeader(t *testing.T) {
	for value, want := range map[string]Verdict{
		"": unknown, "true": Retry, "TRUE": Retry, "false": Stop, "False": Stop, "yes": unknown, "1": unknown,
	} {
		assert.Equal(t, want, shouldRetry(http.Header{"X-Should-Retry": {value}}), value)
	}
}
