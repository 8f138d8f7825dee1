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

// CanLook reports whether resp has a body that a condition may see. Streams are not
// touched, since their readers wait for every single event.
func CanLook(req *http.Request, resp *http.Response) bool {
	switch resp.Header.Get("Content-Encoding") {
	case "", "identity", "gzip", "x-gzip":
	default:
		return false
	}
	return HasBody(req, resp) && !IsStream(resp.Header.Get("Content-Type"))
}

// IsGzip reports whether the body is compressed by gzip, which net/http unpacks only
// if it had asked for it by itself.
func IsGzip(resp *http.Response) bool {
	switch resp.Header.Get("Content-Encoding") {
	case "gzip", "x-gzip":
		return true
	}
	return false
}

// HasBody reports whether resp has a body that ends with the exchange.
func HasBody(req *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotModified:
		return false
	}
	return resp.StatusCode >= 200 && req.Method != http.MethodHead && req.Method != http.MethodConnect &&
		resp.Body != nil && resp.Body != http.NoBody && resp.ContentLength != 0
}

// CanBuffer reports whether resp has a body to read before it is handed over: it is
// no longer than limit, as far as the head tells, and no stream.
func CanBuffer(req *http.Request, resp *http.Response, limit int64) bool {
	if resp.ContentLength > limit || !HasBody(req, resp) {
		return false
	}
	contentType := resp.Header.Get("Content-Type")
	return !isEvents(mediaType(contentType)) && (resp.ContentLength >= 0 || !IsStream(contentType))
}

// IsStream reports whether a body of this type is read while it arrives.
func IsStream(contentType string) bool {
	media := mediaType(contentType)
	return isEvents(media) || startsWithAny(media, "multipart/", "audio/", "video/", "image/")
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
