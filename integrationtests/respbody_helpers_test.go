package integrationtests

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// bodyServer is a server in a bubble of virtual time.
type bodyServer struct {
	name      string
	listener  *insisttest.Listener
	protocols *http.Protocols
}

// eachBodyServer runs test against a server on HTTP/1.1 and on HTTP/2. base reaches it.
func eachBodyServer(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, base *http.Transport)) {
	for _, name := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBodyServer(t, name, handler)
				test(t, s.transport(t))
			})
		})
	}
}

func newBodyServer(t *testing.T, name string, handler http.Handler) *bodyServer {
	s := &bodyServer{name: name, listener: insisttest.NewListener(), protocols: new(http.Protocols)}
	s.protocols.SetHTTP1(name == "HTTP/1.1")
	s.protocols.SetUnencryptedHTTP2(name == "HTTP/2")
	server := &http.Server{Handler: handler, Protocols: s.protocols}
	go server.Serve(s.listener)
	t.Cleanup(func() {
		server.Close()
		time.Sleep(time.Hour) // for the slowest handler
		synctest.Wait()
	})
	return s
}

func (s *bodyServer) transport(t *testing.T) *http.Transport {
	base := &http.Transport{DialContext: s.listener.Dial, Protocols: s.protocols}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// getBody sends a GET.
func getBody(t *testing.T, rt http.RoundTripper) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://example.com/", nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
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
