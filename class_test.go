package insist

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/wait"
)

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
