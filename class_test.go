package insist

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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
		{"timeout", errAttemptTimeout},
		{"timeout", context.DeadlineExceeded},
		{"timeout", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}},
		{"timeout", errors.Join(errAttemptTimeout, context.Canceled)},
		{"timeout", &Error{ctxErr: context.DeadlineExceeded, Cause: context.DeadlineExceeded, Err: reset}},
		{"canceled", &Error{ctxErr: context.Canceled, Cause: context.Canceled, Err: reset}},
		{"canceled", fmt.Errorf("call: %w", context.Canceled)},
		{"dns", &net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}},
		{"certificate", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
		{"tls", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}},
		{"tls", tls.RecordHeaderError{}},
		{"connection_refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}},
		{"connection_reset", &url.Error{URL: "https://x/?token=secret", Err: reset}},
		{"broken_pipe", &net.OpError{Op: "write", Err: syscall.EPIPE}},
		{"unreachable", &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}},
		{"unreachable", &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}},
		{"unexpected_eof", io.ErrUnexpectedEOF},
		{"eof", io.EOF},
		{"closed", net.ErrClosed},
		{"http2_goaway", errors.New("http2: server sent GOAWAY and closed the connection")},
		{"http2_stream_7", streamError{Code: refusedStream}},
		{"insist.secretError", secretError{"?token=secret"}},
		{"insist.secretError", fmt.Errorf("call: %w", Permanent(secretError{"?token=secret"}))},
		{"insist.secretError", errors.Join(secretError{"?token=secret"}, io.ErrShortWrite)},
		{"*errors.errorString", io.ErrShortWrite},
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
