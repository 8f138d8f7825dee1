package head

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// response returns a response with a body of the length n and the header fields.
func response(code int, n int64, fields ...string) *http.Response {
	h := http.Header{"Etag": {`"v1"`}}
	for i := 0; i < len(fields); i += 2 {
		if h.Del(fields[i]); fields[i+1] != "" {
			h.Set(fields[i], fields[i+1])
		}
	}
	return &http.Response{StatusCode: code, ContentLength: n, Header: h, Body: io.NopCloser(strings.NewReader(""))}
}

func TestResumable(t *testing.T) {
	digest := func(h http.Header) string { return h.Get("Digest") }
	for _, c := range []struct {
		name string
		req  http.Request
		resp *http.Response
		want Range
		why  Obstacle
	}{
		{"a download", http.Request{Method: "GET"}, response(200, 26), Range{0, 26, 26}, ""},
		{"no method", http.Request{}, response(200, 26), Range{0, 26, 26}, ""},
		{"no body", http.Request{Body: http.NoBody}, response(200, 26), Range{0, 26, 26}, ""},
		{"length not known", http.Request{}, response(200, -1), Range{0, -1, -1}, ""},
		{"made by hand", http.Request{}, response(200, 0), Range{0, -1, -1}, ""},
		{"ranges", http.Request{}, response(200, 26, "Accept-Ranges", "bytes"), Range{0, 26, 26}, ""},
		{"identity", http.Request{}, response(200, 26, "Content-Encoding", "identity"), Range{0, 26, 26}, ""},
		{"a range", http.Request{}, response(206, 3, "Content-Range", "bytes 5-7/26"), Range{5, 8, 26}, ""},
		{"a range, total not known", http.Request{}, response(206, 3, "Content-Range", "bytes 5-7/*"), Range{5, 8, -1}, ""},
		{"a range, length not known", http.Request{}, response(206, -1, "Content-Range", "bytes 5-7/26"), Range{5, 8, 26}, ""},
		{"a range, and no ranges", http.Request{}, response(206, 3, "Content-Range", "bytes 5-7/26", "Accept-Ranges", "none"), Range{5, 8, 26}, ""},
		{"digest", http.Request{}, response(200, 26, "Etag", "", "Digest", "x"), Range{0, 26, 26}, ""},

		{"POST", http.Request{Method: "POST"}, response(200, 26), Range{}, Method},
		{"GET with a body", http.Request{Body: io.NopCloser(nil)}, response(200, 26), Range{}, Method},
		{"not authoritative", http.Request{}, response(203, 26), Range{}, Status},
		{"error page", http.Request{}, response(404, 26), Range{}, Status},
		{"compressed", http.Request{}, response(200, 26, "Content-Encoding", "gzip"), Range{}, Compressed},
		{"unpacked", http.Request{}, &http.Response{StatusCode: 200, Uncompressed: true}, Range{}, Compressed},
		{"trailers", http.Request{}, &http.Response{StatusCode: 200, Trailer: http.Header{"X-Sum": nil}}, Range{}, Trailers},
		{"redirected", http.Request{}, &http.Response{StatusCode: 200, Request: &http.Request{Response: response(302, 0)}}, Range{}, Redirect},
		{"no ranges", http.Request{}, response(200, 26, "Accept-Ranges", "none"), Range{}, NoRanges},
		{"ranges of pages", http.Request{}, response(200, 26, "Accept-Ranges", "pages"), Range{}, NoRanges},
		{"no Content-Range", http.Request{}, response(206, 3), Range{}, BadRange},
		{"other length than range", http.Request{}, response(206, 4, "Content-Range", "bytes 5-7/26"), Range{}, BadRange},
		{"no ETag", http.Request{}, response(200, 26, "Etag", ""), Range{0, 26, 26}, NoValidator},
		{"weak ETag", http.Request{}, response(200, 26, "Etag", `W/"v1"`), Range{0, 26, 26}, WeakValidator},
	} {
		got, v, why := Resumable(&c.req, c.resp, digest)
		assert.Equal(t, c.why, why, c.name)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, why == "", v.Matches(c.resp.Header), c.name)
	}
}

func TestContinues(t *testing.T) {
	v, _ := ValidatorOf(http.Header{"Etag": {`"v1"`}}, nil)
	for _, c := range []struct {
		name string
		resp *http.Response
		want Range
		why  Obstacle
	}{
		{"a range", response(206, 3, "Content-Range", "bytes 5-7/26"), Range{5, 8, 26}, ""},
		{"all of it", response(200, 26), Range{0, 26, 26}, ""},
		{"all of it, and no ranges", response(200, 26, "Accept-Ranges", "none"), Range{0, 26, 26}, ""},
		{"another version", response(206, 3, "Content-Range", "bytes 5-7/26", "Etag", `"v2"`), Range{}, Changed},
		{"all of another version", response(200, 26, "Etag", `"v2"`), Range{}, Changed},
		{"no version", response(206, 3, "Content-Range", "bytes 5-7/26", "Etag", ""), Range{}, Changed},
		{"412", response(412, 26), Range{}, Changed},
		{"416", response(416, 26, "Content-Range", "bytes */5"), Range{}, Status},
		{"204", response(204, 0), Range{}, Status},
		{"no Content-Range", response(206, 3), Range{}, BadRange},
		{"compressed", response(206, 3, "Content-Range", "bytes 5-7/26", "Content-Encoding", "gzip"), Range{}, Compressed},
		{"redirected", &http.Response{StatusCode: 200, Request: &http.Request{Response: response(302, 0)}}, Range{}, Redirect},
	} {
		got, why := Continues(&http.Request{}, c.resp, v)
		assert.Equal(t, c.why, why, c.name)
		assert.Equal(t, c.want, got, c.name)
	}
}
