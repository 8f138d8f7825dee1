package neterr

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strconv"
	"strings"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Class names the kind of err in one word, for logs and metrics: "timeout", "canceled",
// "dns", "certificate", "tls", "proxy_refused" (the proxy responded to CONNECT with a 4xx
// or 5xx), "connection_refused", "connection_reset", "broken_pipe", "unreachable", "eof",
// "unexpected_eof", "closed", "http2_goaway", or "http2_stream_7" (with the error code of
// RFC 9113, section 7). For any other error it is the Go type of the innermost error. It
// never contains the error's text, which may have a URL in it. For nil it is empty.
func Class(err error) string {
	if err == nil {
		return ""
	}
	for _, c := range classes {
		if c.is(err) {
			return c.word
		}
	}
	if stream, ok := errors.AsType[streamError](err); ok {
		return "http2_stream_" + strconv.Itoa(int(stream.Code))
	}
	return fmt.Sprintf("%T", innermost(err))
}

// The first class that matches counts. More specific classes come first: a network error
// often matches several.
var classes = []struct {
	word string
	is   func(error) bool
}{
	{"dns", as[*net.DNSError]},
	{"certificate", isCertificateError},
	{"timeout", IsTimeout},
	{"canceled", is(context.Canceled)},
	{"timeout", is(context.DeadlineExceeded)},
	{ProxyRefused, isRefusedURL},
	{"tls", isAlert},
	{"tls", as[tls.RecordHeaderError]},
	{"connection_refused", errno.Refused.Is},
	{"connection_reset", errno.Reset.Is},
	{"broken_pipe", errno.BrokenPipe.Is},
	{"unreachable", errno.Unreachable.Is},
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

// tree yields err and every error that it wraps, in the order of errors.As.
func tree(err error) iter.Seq[error] {
	return func(yield func(error) bool) { walk(err, yield) }
}

func walk(err error, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	if !yield(err) {
		return false
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range many.Unwrap() {
			if !walk(inner, yield) {
				return false
			}
		}
		return true
	}
	return walk(errors.Unwrap(err), yield)
}

// IsTimeout reports whether err is a timeout: the first error in its tree with a Timeout
// method says so, or the system's error is one.
func IsTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout() || errno.TimedOut.Is(err)
}
