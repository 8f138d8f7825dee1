// Package head derives facts about a response's body from its status and headers:
// whether there is a body, whether it is a stream, which range of bytes it is, and which
// validator proves that two responses are parts of the same representation. All
// functions are pure: none reads a body.
package head

import (
	"net/http"
	"slices"
	"strings"
)

// CanLook reports whether a condition may read resp's body. An empty body counts: a 200
// without content is a known kind of failure. A stream does not: its reader waits for
// every single event.
func CanLook(req *http.Request, resp *http.Response) bool {
	return mayHaveBody(req, resp) && encodingOf(resp.Header) != otherEncoding &&
		!IsStream(resp.Header.Get("Content-Type"))
}

// HasBody reports whether resp has a body that ends with the exchange. It ignores
// ContentLength: a Response made by hand often has a body and a ContentLength of 0.
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

// IsEmpty reports whether resp's body is known to be empty without a Read.
func IsEmpty(resp *http.Response) bool {
	return resp.Body == nil || resp.Body == http.NoBody || isNetHTTPNoBody(resp.Body)
}

// CanBuffer reports whether resp's body may be read completely before the caller gets
// it: it is not a stream, and not known to be longer than limit bytes.
func CanBuffer(req *http.Request, resp *http.Response, limit int64) bool {
	if resp.ContentLength > limit || !HasBody(req, resp) {
		return false
	}
	contentType := resp.Header.Get("Content-Type")
	return !isEvents(mediaType(contentType)) && (resp.ContentLength > 0 || !IsStream(contentType))
}

// encoding is the content coding of a body.
type encoding uint8

const (
	identity encoding = iota
	gzipEncoding
	otherEncoding // another one, or more than one
)

// encodingOf reads the list of codings in Content-Encoding (RFC 9110, section 8.4). Names
// are case-insensitive, and x-gzip means gzip. identity means no coding, although the RFC
// doesn't allow it there.
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

// IsGzip reports whether the body is compressed by gzip only. net/http decompresses a
// body only if it set Accept-Encoding itself.
func IsGzip(resp *http.Response) bool { return encodingOf(resp.Header) == gzipEncoding }

// IsStream reports whether a body of this type is usually processed while it arrives.
func IsStream(contentType string) bool {
	media := mediaType(contentType)
	return isEvents(media) || startsWithAny(media, "multipart/", "audio/", "video/", "image/")
}

// IsEventStream reports whether resp is a text/event-stream without a content coding.
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
