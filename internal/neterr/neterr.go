// Package neterr classifies the errors of net/http, the packages below it, and
// golang.org/x/net/http2. It says which errors would occur again at another attempt,
// which prove that the server did not act on the request, and how an error is named in
// one word. All knowledge of error texts, types and numbers is here. Texts were read in
// Go 1.26; the tests produce each error by a real failure.
package neterr

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/seed-552c89fc/insist/internal/errno"
)

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// IsPermanent reports whether a transport's error would occur again at the next attempt.
// Its opposite is the default of Policy.RetryableError: an unknown error counts as
// temporary.
func IsPermanent(err error) bool {
	return isCertificateError(err) || isPermanentAlert(err) || isUnknownHost(err) ||
		isNoTLS(err) || isPermanentProxyRefusal(err) || isTokenRefusal(err) ||
		errors.Is(err, http.ErrSchemeMismatch) ||
		errors.Is(err, http.ErrSkipAltProtocol) || errors.Is(err, http.ErrUseLastResponse) ||
		isMalformed(err)
}

// isCertificateError recognizes crypto/tls's error and, for transports that verify
// certificates by themselves, those of crypto/x509.
func isCertificateError(err error) bool {
	return as[*tls.CertificateVerificationError](err) ||
		as[x509.UnknownAuthorityError](err) ||
		as[x509.HostnameError](err) ||
		as[x509.CertificateInvalidError](err)
}

// isUnknownHost reports whether a name server said that the name doesn't exist. If no
// name server responded, it is false.
func isUnknownHost(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound && !dns.IsTemporary && !dns.IsTimeout
}

// isMalformed recognizes the texts by which net/http refuses a request that it can't
// send. These errors have no types.
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
	if IsUnprocessed(err) {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	return errno.Refused.Is(err) || as[*net.DNSError](err) || err.Error() == "net/http: TLS handshake timeout"
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

// IsUnprocessed reports whether net/http's own error proves that the server did not
// process the request, even if it was sent.
func IsUnprocessed(err error) bool {
	if stream, ok := errors.AsType[streamError](err); ok && stream.Code == refusedStream {
		return true
	}
	if fmt.Sprintf("%T", err) == "http.nothingWrittenError" { // HTTP/1, on a connection that was already closed
		return true
	}
	text := err.Error()
	if strings.HasPrefix(text, "stream error: stream ID ") && strings.Contains(text, "; REFUSED_STREAM") {
		return true // from golang.org/x/net/http2, whose type differs from net/http's
	}
	if strings.HasPrefix(text, "http2: Transport: cannot retry err [") {
		// net/http uses this text for PROTOCOL_ERROR, too, which proves nothing.
		return !strings.Contains(text, "PROTOCOL_ERROR")
	}
	// This error is for a body without GetBody. net/http wanted to resend the request
	// because the HTTP/2 connection accepted no more requests.
	if strings.HasPrefix(text, "net/http: cannot rewind body after connection loss") {
		return true
	}
	// Both are only for a stream above the last one that the GOAWAY names.
	return strings.HasPrefix(text, "http2: Transport received Server's graceful shutdown GOAWAY") ||
		strings.HasPrefix(text, "http2: Transport received GOAWAY from server")
}

// IsBroken reports whether err means that an established connection broke.
func IsBroken(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errno.Reset.Is(err) || errno.BrokenPipe.Is(err) || isAlert(err) && !isPermanentAlert(err) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "http: server closed idle connection") ||
		strings.Contains(text, "transport connection broken")
}

// IsHTTP2 reports whether err's text says that it comes from HTTP/2.
func IsHTTP2(err error) bool { return strings.HasPrefix(err.Error(), "http2: ") }
