package insist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/wait"
)

func TestAttemptString(t *testing.T) {
	for _, c := range []struct {
		want string
		a    Attempt
	}{
		{"200 after 0s (success)", Attempt{Status: 200, Reason: ReasonSuccess}},
		{"value after 1.235s (condition), wait 2s",
			Attempt{Duration: 1234567890, Retry: true, Wait: 2 * time.Second, Reason: ReasonCondition}},
		{"503 after 12ms (wait_too_long), no wait of 1h0m0s",
			Attempt{Status: 503, Duration: 12345678, Wait: time.Hour, Reason: ReasonWait}},
		{"503 after 0s (context_ended), wait of 2s cut short",
			Attempt{Status: 503, Wait: 2 * time.Second, Amended: true, Reason: ReasonContext}},
		{"connection_reset after 12µs (error), wait 0s",
			Attempt{Err: &url.Error{URL: "/?secret", Err: syscall.ECONNRESET}, Duration: 12345, Retry: true, Reason: ReasonError}},
		{"200 unexpected_eof after 12.3s (attempts_used_up)",
			Attempt{Status: 200, Err: io.ErrUnexpectedEOF, Duration: 12345678901, Reason: ReasonAttempts}},
	} {
		assert.Equal(t, c.want, c.a.String())
	}
}

func TestRecordString(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := WithRecord(t.Context())
		assert.Equal(t, "no attempts", record.String())
		rt := &RetryTransport{Base: script(status(503), fails(syscall.ECONNREFUSED), status(200), status(204))}
		for _, method := range []string{"", "DELETE"} {
			req, err := http.NewRequestWithContext(ctx, method, "http://user:word@x:81/path?query", nil)
			require.NoError(t, err)
			resp, err := rt.RoundTrip(req)
			require.NoError(t, err)
			resp.Body.Close()
		}
		_ = Run(ctx, Policy{MaxAttempts: 1}, func(context.Context) error { return io.EOF })
		assert.Equal(t, "GET x:81: 3 attempts in 4s: 503 after 0s (status), wait 2s; connection_refused after 0s (error), wait 2s; 200 after 0s (success)"+
			" | DELETE x:81: 1 attempt in 0s: 204 after 0s (success)"+
			" | 1 attempt in 0s: eof after 0s (attempts_used_up)", record.String())
	})
}

func TestGaveUp(t *testing.T) {
	for _, c := range []struct {
		a    Attempt
		want bool
	}{
		{Attempt{Status: 200, Reason: ReasonSuccess}, false},
		{Attempt{Status: 403, Reason: ReasonDecision}, false},
		{Attempt{Status: 503, Reason: ReasonStatus, Retry: true}, false},
		{Attempt{Status: 503, Reason: ReasonAttempts}, true},
		{Attempt{Err: io.EOF, Reason: ReasonError}, true},
		{Attempt{Err: io.EOF, Reason: ReasonContext, Amended: true}, true},
	} {
		assert.Equal(t, c.want, c.a.GaveUp(), "%v", c.a)
	}
}

type secretError struct{ text string }

func (e secretError) Error() string { return e.text }

func TestClass(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, c := range []struct {
		want string
		err  error
	}{
		{"", nil},
		{"timeout", wait.AttemptTimeout{After: time.Second}},
		{"timeout", &Error{ctxErr: context.DeadlineExceeded, Cause: context.DeadlineExceeded, Err: reset}},
		{"canceled", &Error{ctxErr: context.Canceled, Cause: context.Canceled, Err: reset}},
		{"insist.secretError", fmt.Errorf("call: %w", Permanent(secretError{"?token=secret"}))},
	} {
		assert.Equal(t, c.want, Attempt{Err: c.err}.Class(), "%v", c.err)
	}
}

// TestAnErrorIsANetError: errors.As finds it before the last attempt's own error,
// which may be one, and no timeout.
func TestAnErrorIsANetError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := Run(ctx, Policy{}, func(ctx context.Context) error {
			<-ctx.Done()
			return &net.OpError{Op: "write", Err: errLost}
		})
		timeout, ok := errors.AsType[net.Error](err)
		assert.True(t, ok && timeout.Timeout(), "%T", timeout)
	})
}

// TestNothingSecretIsWritten, by whatever a program prints an Attempt or a Record
// with: the text of an error may have a URL, with its query.
// textError is an error that is a value: fmt would print it also as a field.
type textError string

func (e textError) Error() string { return string(e) }

func TestNothingSecretIsWritten(t *testing.T) {
	ctx, record := WithRecord(t.Context())
	var seen Attempt
	p := Policy{Name: "pay", Backoff: Constant(0), OnAttempt: func(_ context.Context, a Attempt) { seen = a }}
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "https://api.test/path?token=secret", Err: io.ErrUnexpectedEOF},
		fmt.Errorf("call of https://api.test/path?token=secret: %w", syscall.ECONNRESET),
		textError("https://api.test/path?token=secret"),
	} {
		Run(ctx, p, func(context.Context) error { return err })
	}
	rt := &RetryTransport{Base: script(status(503), status(200)), Policy: p}
	_, err := rt.RoundTrip(request(t, "GET", "http://api.test/path?token=secret", nil).WithContext(ctx))
	require.NoError(t, err)
	failed, plain := record.Calls()[0][2], record.Calls()[2][2]

	var logged strings.Builder
	for _, h := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
		slog.New(h).Info("x", "attempt", failed, "pointer", &failed, "record", record, "last", seen, "calls", record.Calls())
	}
	type holder struct {
		A Attempt
		P *Attempt
		R *Record
	}
	in := holder{failed, &failed, record}
	for _, v := range []any{failed, &failed, plain, &plain, record, in, record.Calls()} {
		fmt.Fprintf(&logged, "%v %+v %#v %s\n", v, v, v, v)
		data, err := json.Marshal(v)
		require.NoError(t, err)
		logged.Write(data)
		assert.NotEqual(t, "{}", string(data))
	}
	assert.NotContains(t, logged.String(), "secret")
	assert.NotContains(t, logged.String(), "path")
	assert.Contains(t, logged.String(), `"error":"unexpected_eof"`)
	assert.Contains(t, logged.String(), `attempt.error=unexpected_eof`)
	assert.Contains(t, logged.String(), `attempt.name=pay`)

	data, err := json.Marshal(record)
	require.NoError(t, err)
	var calls [][]map[string]any
	require.NoError(t, json.Unmarshal(data, &calls))
	require.Len(t, calls, 4)
	first := calls[3][0]
	delete(first, "duration")
	assert.Equal(t, map[string]any{
		"number": 1.0, "name": "pay", "method": "GET", "host": "api.test", "status": 503.0, "retry": true, "reason": "status",
	}, first)
}

// TestLogValueIsComplete: what MarshalJSON has, LogValue has, too.
func TestLogValueIsComplete(t *testing.T) {
	for _, a := range []Attempt{
		{},
		{Number: 1, Name: "n", Method: "GET", Host: "h", Status: 503, Err: errLost, Duration: 1, Held: 1, Wait: 1, Retry: true, Reason: ReasonStatus, ConnRetired: true, Amended: true},
	} {
		data, err := json.Marshal(a)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(data, &fields))
		var logged []string
		for _, attr := range a.LogValue().Group() {
			logged = append(logged, attr.Key)
		}
		assert.ElementsMatch(t, slices.Collect(maps.Keys(fields)), logged)
	}
}

// TestErrorReadsForwards: what happened first comes first.
func TestErrorReadsForwards(t *testing.T) {
	for want, e := range map[string]*Error{
		"insist: no attempt was made: context canceled":                                         {Reason: ReasonContext, Cause: context.Canceled},
		"insist: gave up after 1 attempt: the request body can't be sent again: x":              {Attempts: 1, Reason: ReasonBody, Cause: errors.New("x")},
		"insist: gave up after 3 attempts: last error: x":                                       {Attempts: 3, Reason: ReasonAttempts, Err: errors.New("x")},
		"insist: gave up after 3 attempts: the last value was rejected":                         {Attempts: 3, Reason: ReasonAttempts, rejected: true},
		"insist: gave up after 2 attempts: context deadline exceeded; last status 503":          {Attempts: 2, Reason: ReasonContext, Cause: context.DeadlineExceeded, Status: 503},
		"insist: gave up after 2 attempts: the budget has no retry left; last error: x":         {Attempts: 2, Reason: ReasonBudget, Err: errors.New("x")},
		"insist: gave up after 2 attempts: the wait would be too long; last status 429":         {Attempts: 2, Reason: ReasonWait, Status: 429},
		"insist: gave up after 2 attempts: an error that is not retried; last error: not found": {Attempts: 2, Reason: ReasonError, Err: errors.New("not found")},
		"insist: gave up after 2 attempts: the loop was left; last error: x":                    {Attempts: 2, Reason: ReasonDecision, Err: errors.New("x")},
		"insist: gave up after 1 attempt: custom":                                               {Attempts: 1, Reason: "custom"},
	} {
		assert.Equal(t, want, e.Error())
	}
}

// An Error in a log or a JSON document is its text, not the fields of what it wraps.
func TestAnErrorIsMarshaledAsItsText(t *testing.T) {
	e := &Error{Attempts: 2, Reason: ReasonContext, Err: &url.Error{Op: "Get", URL: "http://x/?secret=1", Err: errLost}, Cause: context.Canceled}
	data, err := json.Marshal(map[string]any{"error": e})
	require.NoError(t, err)
	want, _ := json.Marshal(map[string]string{"error": e.Error()})
	assert.Equal(t, string(want), string(data))
	assert.NotContains(t, string(data), `"URL"`)
}
