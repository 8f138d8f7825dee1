package insist

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Verdict is what a Decision says: Retry, Stop, or, as the zero value, that the
// other rules decide.
type Verdict int

const (
	unknown Verdict = iota

	// Retry asks for another attempt.
	Retry

	// Stop keeps the attempt's response or error as the call's result.
	Stop
)

// Decision is the answer of Policy.Classify and of a BodyCondition. The zero
// value leaves the attempt to the other rules; so does a Verdict that is none of
// the constants.
type Decision struct {
	// Verdict is Retry or Stop. Zero means that the other rules decide.
	Verdict Verdict

	// Wait replaces the Backoff before the next attempt, also where the other
	// rules ask for that attempt. A longer Retry-After still wins.
	// Zero means that Backoff decides; negative means no wait.
	Wait time.Duration
}

// ErrorAs reports whether err, or an error that it wraps, is an E. Give it to
// Policy.RetryableError to retry by the error's type:
//
//	RetryableError: insist.ErrorAs[*net.OpError]
func ErrorAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Permanent marks err as one that another attempt would not change: neither
// RetryableError nor a default retries it. The mark doesn't change the text, and
// errors.Is and errors.As see through it. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// isPermanent reports whether the next attempt would meet a transport's error
// again. It is the default of Policy.RetryableError, turned round: what it does
// not know may pass.
func isPermanent(err error) bool {
	return ErrorAs[*Error](err) || // a layer below has decided already
		isCertificateError(err) || isAlert(err) || isUnknownHost(err) ||
		ErrorAs[tls.RecordHeaderError](err) || // no TLS at the other end
		errors.Is(err, http.ErrSchemeMismatch) ||
		errors.Is(err, http.ErrSkipAltProtocol) || errors.Is(err, http.ErrUseLastResponse) ||
		isMalformed(err)
}

// isCertificateError knows crypto/tls's error and, for transports that verify
// by themselves, those of crypto/x509.
func isCertificateError(err error) bool {
	return ErrorAs[*tls.CertificateVerificationError](err) ||
		ErrorAs[x509.UnknownAuthorityError](err) ||
		ErrorAs[x509.HostnameError](err) ||
		ErrorAs[x509.CertificateInvalidError](err)
}

// isAlert reports a TLS alert from either end: no common version, a client
// certificate refused. crypto/tls does not export the alert's type over TCP, but
// names the operation.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}

// isUnknownHost reports that a name server said that there is no such name; one
// that did not answer is another matter.
func isUnknownHost(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound && !dns.IsTemporary && !dns.IsTimeout
}

// isMalformed knows the texts by which net/http refuses a request that it can't
// send; there are no types for them.
func isMalformed(err error) bool {
	text := err.Error()
	for _, start := range []string{
		"unsupported protocol scheme", "http: nil Request.", "http: no Host in request URL",
		"net/http: invalid method", "net/http: invalid header", "net/http: invalid trailer",
		"http: Request.ContentLength=", "http: ContentLength=",
		"http2: request body larger than specified",
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// isUnsent reports whether the error itself proves that the server did not act
// on the request: there was no connection, or HTTP/2 says so (RFC 9113, section
// 8.7: REFUSED_STREAM, and streams above the last one that a GOAWAY names).
func isUnsent(err error) bool {
	if isUnprocessed(err) {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	return errors.Is(err, syscall.ECONNREFUSED) || ErrorAs[*net.DNSError](err)
}

// streamError has the fields of net/http's own HTTP/2 stream error, which
// errors.As fills by their names (net/http, h2_error.go).
type streamError struct {
	StreamID uint32
	Code     streamErrorCode
	Cause    error
}

type streamErrorCode uint32

const refusedStream streamErrorCode = 7

func (streamError) Error() string { return "stream error" }

func isUnprocessed(err error) bool {
	if stream, ok := errors.AsType[streamError](err); ok && stream.Code == refusedStream {
		return true
	}
	if fmt.Sprintf("%T", err) == "http.nothingWrittenError" { // by HTTP/1, to a connection that was dead
		return true
	}
	text := err.Error()
	if strings.HasPrefix(text, "stream error: stream ID ") && strings.Contains(text, "; REFUSED_STREAM") {
		return true // by golang.org/x/net/http2, whose type is not net/http's
	}
	if strings.HasPrefix(text, "http2: Transport: cannot retry err [") {
		// net/http counts a PROTOCOL_ERROR among these; it proves nothing.
		return !strings.Contains(text, "PROTOCOL_ERROR")
	}
	// Both are said only of a stream above the last one that the GOAWAY names.
	return strings.HasPrefix(text, "http2: Transport received Server's graceful shutdown GOAWAY") ||
		strings.HasPrefix(text, "http2: Transport received GOAWAY from server")
}

// shouldRetry reads the x-should-retry header, by which a server (OpenAI,
// Anthropic) decides itself.
func shouldRetry(h http.Header) Verdict {
	values := h["X-Should-Retry"] // Get would first make it canonical, for each answer
	switch {
	case len(values) == 0:
	case strings.EqualFold(values[0], "true"):
		return Retry
	case strings.EqualFold(values[0], "false"):
		return Stop
	}
	return unknown
}
