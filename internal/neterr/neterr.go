// Package neterr knows every text, type and number by which net/http, the packages
// below it, and golang.org/x/net/http2 name an error. It says which errors another
// attempt would meet again, which prove that the server did not act on a request,
// and how an error is named in one word. Texts were read in Go 1.26; the tests make
// each error by the failure itself.
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

// IsPermanent reports whether the next attempt would meet a transport's error
// again. It is the default of Policy.RetryableError, turned round: what it does
// not know may pass.
func IsPermanent(err error) bool {
	return isCertificateError(err) || isPermanentAlert(err) || isUnknownHost(err) ||
		isNoTLS(err) || isPermanentProxyRefusal(err) || isTokenRefusal(err) ||
		errors.Is(err, http.ErrSchemeMismatch) ||
		errors.Is(err, http.ErrSkipAltProtocol) || errors.Is(err, http.ErrUseLastResponse) ||
		isMalformed(err)
}

// isCertificateError knows crypto/tls's error and, for transports that verify
// by themselves, those of crypto/x509.
func isCertificateError(err error) bool {
	return as[*tls.CertificateVerificationError](err) ||
		as[x509.UnknownAuthorityError](err) ||
		as[x509.HostnameError](err) ||
		as[x509.CertificateInvalidError](err)
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

func IsUnprocessed(err error) bool {
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
	// Said of a body without GetBody. net/http would have repeated the request only
	// because it was given a connection of HTTP/2 that took none any more.
	if strings.HasPrefix(text, "net/http: cannot rewind body after connection loss") {
		return true
	}
	// Both are said only of a stream above the last one that the GOAWAY names.
	return strings.HasPrefix(text, "http2: Transport received Server's graceful shutdown GOAWAY") ||
		strings.HasPrefix(text, "http2: Transport received GOAWAY from server")
}

// IsBroken reports whether err says that a connection, once made, broke.
func IsBroken(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errno.Reset.Is(err) || errno.BrokenPipe.Is(err) || isAlert(err) && !isPermanentAlert(err) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "http: server closed idle connection") ||
		strings.Contains(text, "transport connection broken")
}

// IsHTTP2 reports whether err is of HTTP/2, as its text says.
func IsHTTP2(err error) bool { return strings.HasPrefix(err.Error(), "http2: ") }
