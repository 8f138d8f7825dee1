package head

import (
	"io"
	"reflect"
)

// ClosesDuringRead reports whether body is one of net/http's own client bodies. Their
// Close may be called while a Read is in flight, and ends it. A body of any other
// type may give its memory to another request in Close while Read still uses it. Types
// that wrap any body, as those of http.MaxBytesReader and of http.Client's Timeout do,
// are not among them. The names were read in Go 1.26; one that is not known costs a
// connection or some time, and no data.
func ClosesDuringRead(body io.ReadCloser) bool {
	switch netHTTPType(body) {
	case "bodyEOFSignal", "gzipReader", // HTTP/1
		"http2transportResponseBody", "http2gzipReader":
		return true
	}
	return false
}

// isNetHTTPNoBody knows the empty body of HTTP/2, which is not http.NoBody.
func isNetHTTPNoBody(body io.ReadCloser) bool { return netHTTPType(body) == "http2noBodyReader" }

// netHTTPType returns the name of body's type, or of what it points to, if it is
// declared in net/http, else an empty string.
func netHTTPType(body io.ReadCloser) string {
	t := reflect.TypeOf(body)
	if t == nil {
		return ""
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != "net/http" {
		return ""
	}
	return t.Name()
}
