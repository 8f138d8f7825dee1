package neterr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Texts of errors that have no type to be known by; the real ones are in
// integrationtests/errors_h2_test.go, but for those of golang.org/x/net/http2, which Kubernetes'
// client has.
func TestUnprocessedByItsText(t *testing.T) {
	for text, want := range map[string]bool{
		"stream error: stream ID 1; REFUSED_STREAM":                                 true,
		"stream error: stream ID 1; REFUSED_STREAM; received from peer":             true,
		"stream error: stream ID 1; INTERNAL_ERROR; received from peer":             false,
		"http2: Transport: cannot retry err [REFUSED_STREAM] after Request.Body":    true,
		"http2: Transport: cannot retry err [... PROTOCOL_ERROR] after":             false,
		"http2: Transport received Server's graceful shutdown GOAWAY":               true,
		"http2: server sent GOAWAY and closed the connection; LastStreamID=1":       false,
		"net/http: cannot rewind body after connection loss":                        true,
		"the server said: stream error: stream ID 1; REFUSED_STREAM; and then more": false,
	} {
		assert.Equal(t, want, IsUnprocessed(errors.New(text)), text)
	}
	assert.True(t, IsUnprocessed(fmt.Errorf("call: %w", streamError{Code: refusedStream})))
}

type secretError struct{ text string }

func (e secretError) Error() string { return e.text }

type timeoutError struct{}

func (timeoutError) Error() string { return "timed out" }
func (timeoutError) Timeout() bool { return true }

func TestClass(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, c := range []struct {
		want string
		err  error
	}{
		{"", nil},
		{"timeout", timeoutError{}},
		{"timeout", context.DeadlineExceeded},
		{"timeout", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}},
		{"timeout", errors.Join(timeoutError{}, context.Canceled)},
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
		{"neterr.secretError", secretError{"?token=secret"}},
		{"neterr.secretError", errors.Join(secretError{"?token=secret"}, io.ErrShortWrite)},
		{"*errors.errorString", io.ErrShortWrite},
	} {
		assert.Equal(t, c.want, Class(c.err), "%v", c.err)
	}
}

func TestIsBroken(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{fmt.Errorf("read: %w", net.ErrClosed), true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, true},
		{errors.New("http: server closed idle connection"), true},
		{&net.OpError{Op: "local error", Err: tls.AlertError(20)}, true},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, false},
		{errors.New("net/http: HTTP/1.x transport connection broken: malformed HTTP response"), true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		{&net.DNSError{}, false},
		{timeoutError{}, false},
		{errors.New("the server said: EOF"), false},
	} {
		assert.Equal(t, c.want, IsBroken(c.err), "%v", c.err)
	}
}

// The words are the same on each system, whatever its numbers are.
func TestClassOfTheSystemsErrors(t *testing.T) {
	for want, kind := range map[string]errno.Kind{
		"connection_refused": errno.Refused, "connection_reset": errno.Reset, "broken_pipe": errno.BrokenPipe,
		"unreachable": errno.Unreachable, "timeout": errno.TimedOut,
	} {
		if runtime.GOOS == "plan9" && want == "broken_pipe" {
			want = "connection_reset" // it makes no difference
		}
		for _, e := range kind {
			err := &net.OpError{Op: "read", Err: os.NewSyscallError("read", e)}
			assert.Equal(t, want, Class(err), "%v", e)
			assert.False(t, IsPermanent(err), "%v", e)
		}
	}
}

// The real ones are in integrationtests/errors_tls_test.go.
func TestAlerts(t *testing.T) {
	pass := map[int]bool{10: true, 20: true, 21: true, 22: true, 50: true, 80: true, 90: true}
	for code := range 256 {
		for _, op := range []string{"local error", "remote error"} {
			err := fmt.Errorf("call: %w", &net.OpError{Op: op, Err: tls.AlertError(code)}) // over TCP another type like it
			assert.Equal(t, !pass[code], IsPermanent(err), "%v", err)
			assert.Equal(t, "tls", Class(err))
		}
	}
	assert.True(t, IsPermanent(&net.OpError{Op: "remote error", Err: errors.New("of an unknown type")}))
	assert.False(t, IsPermanent(&net.OpError{Op: "read", Err: tls.AlertError(42)}))

	assert.True(t, IsPermanent(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake", Conn: &net.TCPConn{}}))
	assert.False(t, IsPermanent(tls.RecordHeaderError{Msg: "oversized record received with length 40000"}))
}

func TestAProxysRefusal(t *testing.T) {
	for _, c := range []struct {
		err              error
		refusal, forEver bool
	}{
		{errors.New("Proxy Authentication Required"), true, true},
		{fmt.Errorf("call: %w", errors.New("Forbidden")), true, true},
		{errors.New("Method Not Allowed"), true, true},
		{errors.New("Bad Gateway"), true, false},
		{errors.New("Too Many Requests"), true, false},
		{errors.New("OK"), false, false},
		{errors.New("Forbidden, they said"), false, false},
		{errors.New(""), false, false},
		{secretError{"Forbidden"}, false, false},
	} {
		assert.Equal(t, c.refusal, IsProxyRefusal(c.err), "%v", c.err)
		assert.Equal(t, c.forEver, IsPermanent(c.err), "%v", c.err)
		want := "*errors.errorString"
		if _, ok := c.err.(secretError); ok {
			want = "neterr.secretError"
		}
		assert.Equal(t, want, Class(c.err), "of a function: %v", c.err)
		if c.refusal {
			want = "proxy_refused"
		}
		assert.Equal(t, want, Class(&url.Error{Err: c.err}), "%v", c.err)
	}
	assert.False(t, IsProxyRefusal(nil))
}
