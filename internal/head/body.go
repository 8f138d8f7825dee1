// Package head says what the head of a response tells about its body: whether
// there is one, whether it is a stream, which range it is, and by which validator
// two responses are known to be parts of one representation. All functions are
// pure; none reads a body.
package head

import (
	"net/http"
	"slices"
	"strings"
)

// CanLook reports whether a condition may see resp's body, which may be empty: an
// API that answers 200 and nothing is a known failure. Streams are not touched, since
// their readers wait for every single event.
func CanLook(req *http.Request, resp *http.Response) bool {
	return mayHaveBody(req, resp) && encodingOf(resp.Header) != otherEncoding &&
		!IsStream(resp.Header.Get("Content-Type"))
}

// HasBody reports whether resp has a body that ends with the exchange. A Response
// that was made by hand often has a ContentLength of 0 beside its body.
func HasBody(req *http.Request, resp *http.Response) bool {
	return mayHaveBody(req, resp) && !IsEmpty(resp)
}

// mayHaveBody reports whether resp, by its request's method and its status, may have
// content (RFC 9110, section 6.4.1) that ends with the exchange.
func mayHaveBody(req *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotModified:
		return false
	}
	return resp.StatusCode >= 200 && req.Method != http.MethodHead && req.Method != http.MethodConnect
}

// IsEmpty reports whether it is certain, without a Read, that resp's body is empty.
func IsEmpty(resp *http.Response) bool {
	return resp.Body == nil || resp.Body == http.NoBody || isNetHTTPNoBody(resp.Body)
}

// CanBuffer reports whether resp has a body to read before it is handed over: it is
// no longer than limit, as far as the head tells, and no stream.
func CanBuffer(req *http.Request, resp *http.Response, limit int64) bool {
	if resp.ContentLength > limit || !HasBody(req, resp) {
		return false
	}
	contentType := resp.Header.Get("Content-Type")
	return !isEvents(mediaType(contentType)) && (resp.ContentLength > 0 || !IsStream(contentType))
}

// encoding is what the Content-Encoding fields come to.
type encoding uint8

const (
	identity encoding = iota
	gzipEncoding
	otherEncoding // another one, or more than one
)

// encodingOf reads the list of codings (RFC 9110, section 8.4): their names are
// case-insensitive, x-gzip is gzip, and identity is none, although it has no place
// there.
func encodingOf(h http.Header) encoding {
	e := identity
	for _, line := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			coding = strings.TrimSpace(coding)
			switch {
			case coding == "" || strings.EqualFold(coding, "identity"):
			case e == identity && (strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip")):
				e = gzipEncoding
			default:
				return otherEncoding
			}
		}
	}
	return e
}

// IsGzip reports whether the body is compressed by gzip and nothing else. net/http
// unpacks a body only if it asked for gzip itself.
func IsGzip(resp *http.Response) bool { return encodingOf(resp.Header) == gzipEncoding }

// IsStream reports whether a body of this type is read while it arrives.
func IsStream(contentType string) bool {
	media := mediaType(contentType)
	return isEvents(media) || startsWithAny(media, "multipart/", "audio/", "video/", "image/")
}

// IsEventStream reports whether resp is a text/event-stream that can be read as it is.
func IsEventStream(req *http.Request, resp *http.Response) bool {
	return encodingOf(resp.Header) == identity && HasBody(req, resp) &&
		mediaType(resp.Header.Get("Content-Type")) == "text/event-stream"
}

// isEvents reports whether a body of this type is a stream even if its length is
// known.
func isEvents(media string) bool {
	switch media {
	case "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl",
		"application/json-seq", "application/stream+json":
		return true
	}
	return startsWithAny(media, "application/grpc", "application/connect+")
}

func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func startsWithAny(s string, starts ...string) bool {
	return slices.ContainsFunc(starts, func(start string) bool { return strings.HasPrefix(s, start) })
}
