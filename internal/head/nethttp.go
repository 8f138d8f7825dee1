package head

import (
	"io"
	"reflect"
)

// ClosesDuringRead reports whether body is one of net/http's own client bodies. Their
// Close may be called while a Read is in flight, and ends that Read. The Close of another
// type may give memory to another request while Read still uses it. net/http's types that
// wrap an arbitrary body (of http.MaxBytesReader, of http.Client's Timeout) are not
// included. The names were read in Go 1.26. If a name is missing here, that costs a
// connection or some time, but no data.
func ClosesDuringRead(body io.ReadCloser) bool {
	switch netHTTPType(body) {
	case "bodyEOFSignal", "gzipReader", // HTTP/1
		"http2transportResponseBody", "http2gzipReader":
		return true
	}
	return false
}

// isNetHTTPNoBody reports whether body is HTTP/2's empty body, which is not http.NoBody.
func isNetHTTPNoBody(body io.ReadCloser) bool { return netHTTPType(body) == "http2noBodyReader" }

// netHTTPType returns the name of body's type, or of the type it points to. If that type
// is not declared in net/http, the name is empty.
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
