package insist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
		{"503 after 12ms (wait too long), no wait of 1h0m0s",
			Attempt{Status: 503, Duration: 12345678, Wait: time.Hour, Reason: ReasonWait}},
		{"503 after 0s (context ended), wait of 2s cut short",
			Attempt{Status: 503, Wait: 2 * time.Second, Amended: true, Reason: ReasonContext}},
		{"connection_reset after 12µs (error), wait 0s",
			Attempt{Err: &url.Error{URL: "/?secret", Err: syscall.ECONNRESET}, Duration: 12345, Retry: true, Reason: ReasonError}},
		{"200 unexpected_eof after 12.3s (attempts used up)",
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
			" | 1 attempt in 0s: eof after 0s (attempts used up)", record.String())
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
		{"timeout", wait.ErrAttemptTimeout},
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
