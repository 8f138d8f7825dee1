package head

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEncoding(t *testing.T) {
	for _, c := range []struct {
		want  encoding
		lines []string
	}{
		{identity, nil},
		{identity, []string{""}},
		{identity, []string{"identity"}},
		{identity, []string{"Identity", " , "}},
		{gzipEncoding, []string{"gzip"}},
		{gzipEncoding, []string{"GZIP"}},
		{gzipEncoding, []string{" x-gzip\t"}},
		{gzipEncoding, []string{"X-GZip"}},
		{gzipEncoding, []string{"gzip, identity"}},
		{gzipEncoding, []string{"identity,gzip,"}},
		{gzipEncoding, []string{"identity", "gzip"}},
		{otherEncoding, []string{"gzip, gzip"}},
		{otherEncoding, []string{"gzip", "x-gzip"}},
		{otherEncoding, []string{"gzip, br"}},
		{otherEncoding, []string{"br"}},
		{otherEncoding, []string{"gzip;q=1"}},
		{otherEncoding, []string{"gzi p"}},
	} {
		resp := &http.Response{Header: http.Header{"Content-Encoding": c.lines}}
		assert.Equal(t, c.want, encodingOf(resp.Header), "%q", c.lines)
		assert.Equal(t, c.want == gzipEncoding, IsGzip(resp), "%q", c.lines)
		assert.Equal(t, c.want == identity, IsPlain(resp), "%q", c.lines)
		resp.StatusCode, resp.Body = 200, io.NopCloser(nil)
		resp.Header.Set("Content-Type", "text/event-stream")
		assert.Equal(t, c.want == identity, IsEventStream(&http.Request{}, resp), "%q", c.lines)
	}
	h := http.Header{"Content-Encoding": {"gzip, identity"}}
	assert.Zero(t, testing.AllocsPerRun(100, func() { encodingOf(h) }))
}

// TestBodies is a line per kind of response: may a condition see it, is there anything
// to read, is it read before it is handed over?
func TestBodies(t *testing.T) {
	body := func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }
	for _, c := range []struct {
		name              string
		method            string
		status            int
		length            int64
		body              io.ReadCloser
		media             string
		look, has, buffer bool
	}{
		{"known length", "GET", 200, 1, body(), "", true, true, true},
		{"unknown length", "GET", 200, -1, body(), "", true, true, true},
		{"made by hand", "GET", 200, 0, body(), "", true, true, true},
		{"too long", "GET", 200, 101, body(), "", true, true, false},
		{"Content-Length: 0", "GET", 200, 0, http.NoBody, "", true, false, false},
		{"nil body", "GET", 200, 0, nil, "", true, false, false},
		{"failed", "POST", 503, 0, nil, "", true, false, false},
		{"HEAD", "HEAD", 200, 1, http.NoBody, "", false, false, false},
		{"CONNECT", "CONNECT", 200, -1, body(), "", false, false, false},
		{"101", "GET", 101, -1, body(), "", false, false, false},
		{"103", "GET", 103, 0, nil, "", false, false, false},
		{"204", "GET", 204, 0, http.NoBody, "", false, false, false},
		{"304", "GET", 304, 0, http.NoBody, "", false, false, false},
		{"events", "GET", 200, 1, body(), "text/event-stream", false, true, false},
		{"picture", "GET", 200, 1, body(), "image/png", false, true, true},
		{"picture, unknown length", "GET", 200, -1, body(), "image/png", false, true, false},
		{"picture, made by hand", "GET", 200, 0, body(), "image/png", false, true, false},
	} {
		resp := &http.Response{StatusCode: c.status, ContentLength: c.length, Body: c.body, Header: http.Header{"Content-Type": {c.media}}}
		req := &http.Request{Method: c.method}
		assert.Equal(t, c.look, CanLook(req, resp), "%s: look", c.name)
		assert.Equal(t, c.has, HasBody(req, resp), "%s: has", c.name)
		assert.Equal(t, c.buffer, CanBuffer(req, resp, 100), "%s: buffer", c.name)
	}
}
