package insist

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Class names the kind of the attempt's error in one word, for logs and metrics:
// "timeout", "canceled", "dns", "certificate", "tls", "connection_refused",
// "connection_reset", "broken_pipe", "unreachable", "eof", "unexpected_eof",
// "closed", "http2_goaway", "http2_stream_7" (with the code of RFC 9113, section
// 7), else the Go type of the innermost error. It never has a text of the error's
// own, which may have a URL in it. If there is no error it is empty.
func (a Attempt) Class() string {
	for _, c := range classes {
		if a.Err != nil && c.is(a.Err) {
			return c.word
		}
	}
	switch stream, ok := errors.AsType[streamError](a.Err); {
	case a.Err == nil:
		return ""
	case ok:
		return "http2_stream_" + strconv.Itoa(int(stream.Code))
	}
	return fmt.Sprintf("%T", innermost(a.Err))
}

// The first that fits counts: an error of the network is often wrapped in one
// that says less.
var classes = []struct {
	word string
	is   func(error) bool
}{
	{"dns", ErrorAs[*net.DNSError]},
	{"certificate", isCertificateError},
	{"timeout", isTimeout},
	{"canceled", is(context.Canceled)},
	{"timeout", is(context.DeadlineExceeded)},
	{"tls", isAlert},
	{"tls", ErrorAs[tls.RecordHeaderError]},
	{"connection_refused", is(syscall.ECONNREFUSED)},
	{"connection_reset", is(syscall.ECONNRESET)},
	{"broken_pipe", is(syscall.EPIPE)},
	{"unreachable", is(syscall.EHOSTUNREACH)},
	{"unreachable", is(syscall.ENETUNREACH)},
	{"unexpected_eof", is(io.ErrUnexpectedEOF)},
	{"eof", is(io.EOF)},
	{"closed", is(net.ErrClosed)},
	{"http2_goaway", func(err error) bool { return strings.Contains(err.Error(), "GOAWAY") }},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
			inner = many.Unwrap()[0]
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
