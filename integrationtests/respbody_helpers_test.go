package integrationtests

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// get sends a GET.
func get(t *testing.T, rt http.RoundTripper) *http.Response {
	t.Helper()
	resp, err := rt.RoundTrip(request(t, "GET", "http://example.com/", nil))
	require.NoError(t, err)
	return resp
}

func flush(w http.ResponseWriter) { http.NewResponseController(w).Flush() }

// strict is a base whose bodies, around those of another, note what net/http's allow
// and others do not: a Close during a Read.
type strict struct {
	base   http.RoundTripper
	bodies []*strictBody
}

func (s *strict) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.base.RoundTrip(req)
	if err == nil {
		body := &strictBody{ReadCloser: resp.Body}
		s.bodies = append(s.bodies, body)
		resp.Body = body
	}
	return resp, err
}

type strictBody struct {
	io.ReadCloser
	reading, overlaps, closes atomic.Int32
}

func (b *strictBody) Read(p []byte) (int, error) {
	if b.reading.Add(1) > 1 {
		b.overlaps.Add(1)
	}
	defer b.reading.Add(-1)
	return b.ReadCloser.Read(p)
}

func (b *strictBody) Close() error {
	b.overlaps.Add(b.reading.Load())
	b.closes.Add(1)
	return b.ReadCloser.Close()
}

// check fails t if a body was not closed, or at the wrong time.
func (s *strict) check(t *testing.T, bodies int) {
	t.Helper()
	synctest.Wait()
	assert.Len(t, s.bodies, bodies)
	for i, b := range s.bodies {
		assert.EqualValues(t, 1, b.closes.Load(), "body %d", i)
		assert.Zero(t, b.overlaps.Load(), "body %d", i)
	}
}
