package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// rig is a client, the proxy and an upstream, all on real sockets.
type rig struct {
	t      *testing.T
	url    string // of the proxy
	client *http.Client
	hits   atomic.Int64  // on the upstream
	idle   chan struct{} // has one for each request that the proxy is done with
}

// newRig starts an upstream that plays one step for each request and repeats the
// last one.
func newRig(t *testing.T, edit func(*insist.Policy), steps ...http.HandlerFunc) *rig {
	r := &rig{t: t, client: &http.Client{Transport: new(http.Transport), Timeout: time.Minute}, idle: make(chan struct{}, 100)}
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := int(r.hits.Add(1))
		steps[min(n, len(steps))-1](w, req)
	}))
	upstream.Config.ErrorLog = log.New(io.Discard, "", 0)
	upstream.Start()
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	if edit != nil {
		edit(&policy)
	}
	handler := newProxy(target, policy)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() { r.idle <- struct{}{} }()
		handler.ServeHTTP(w, req)
	}))
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxy.Start()
	r.url = proxy.URL
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		proxy.Close()
		upstream.CloseClientConnections() // the proxy keeps some
		upstream.Close()
	})
	return r
}

// do makes a request, which must be answered.
func (r *rig) do(method string, body io.Reader, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+"/path?query", body)
	require.NoError(r.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}

// streamed hides what a reader is, so that the request's length is not known.
func streamed(data []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(data)} }

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// The steps of an upstream.

func digest(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, sum(data))
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(code)
	}
}

// early answers, and throws the request's body away: were the connection closed
// at once, its reset could overtake the response, after which a POST is not repeated.
func early(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		status(code)(w, r)
		http.NewResponseController(w).Flush()
		io.Copy(io.Discard, r.Body)
	}
}

func lost(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

func halfway(_ http.ResponseWriter, r *http.Request) {
	io.CopyN(io.Discard, r.Body, 100_000)
	panic(http.ErrAbortHandler)
}

func TestFailuresAreRepeated(t *testing.T) {
	large := bytes.Repeat([]byte("insist "), 1<<20)
	for _, c := range []struct {
		name, method string
		body         []byte
		first        http.HandlerFunc
		header       []string
	}{
		{"GET, no response", "GET", nil, lost, nil},
		{"GET, 502", "GET", nil, status(502), nil},
		{"PUT, no response", "PUT", large, lost, nil},
		{"PUT, reset in the middle", "PUT", large, halfway, nil},
		{"PUT, turned away with the body unread", "PUT", large, status(503), nil},
		{"PUT, turned away before it is begun", "PUT", large, status(503), []string{"Expect", "100-continue"}},
		{"PUT, no expectations", "PUT", large, status(417), []string{"Expect", "100-continue"}},
		{"POST, turned away", "POST", large, early(503), nil},
		{"POST with a key, no response", "POST", large, lost, []string{"Idempotency-Key", "7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil, c.first, digest)
			resp := r.do(c.method, streamed(c.body), c.header...)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, sum(c.body), text(t, resp))
			assert.EqualValues(t, 2, r.hits.Load())
		})
	}
}

func TestALostPostIsNotRepeated(t *testing.T) {
	r := newRig(t, nil, lost, digest)
	resp := r.do("POST", streamed([]byte("order")))
	assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
	assert.EqualValues(t, 1, r.hits.Load())
}

// TestTheLastAnswerPasses is one that the upstream gave, not one of the proxy's.
func TestTheLastAnswerPasses(t *testing.T) {
	r := newRig(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Reason", "down")
		http.Error(w, "back at noon", http.StatusBadGateway)
	})
	resp := r.do("GET", nil)
	assert.Equal(t, 502, resp.StatusCode)
	assert.Equal(t, "down", resp.Header.Get("X-Reason"))
	assert.Equal(t, "back at noon\n", text(t, resp))
	assert.EqualValues(t, 3, r.hits.Load())
}

// TestErrors has the responses of the proxy itself. They say nothing of whom it
// asked.
func TestErrors(t *testing.T) {
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, c := range []struct {
		name  string
		step  http.HandlerFunc
		limit time.Duration
		want  int
	}{
		{"no response", lost, 0, http.StatusBadGateway},
		{"none in time", hangs, 10 * time.Millisecond, http.StatusGatewayTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			var attempts int // one that has no time does not always reach the upstream
			r := newRig(t, func(p *insist.Policy) {
				p.PerAttemptTimeout = c.limit
				p.OnAttempt = func(context.Context, insist.Attempt) { attempts++ }
			}, c.step)
			resp := r.do("GET", nil)
			assert.Equal(t, c.want, resp.StatusCode)
			assert.Equal(t, http.StatusText(c.want)+"\n", text(t, resp))
			assert.Equal(t, 3, attempts)
		})
	}
}

func TestAnUpstreamThatIsDown(t *testing.T) {
	target := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	var attempts int
	policy := insist.Standard()
	policy.Backoff = insist.Constant(time.Millisecond)
	policy.OnAttempt = func(context.Context, insist.Attempt) { attempts++ }
	w := httptest.NewRecorder()
	newProxy(target, policy).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("order")))
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.Equal(t, "Bad Gateway\n", w.Body.String())
	assert.Equal(t, 3, attempts, "nothing was sent, so that a POST can be repeated, too")
}

func TestHeaders(t *testing.T) {
	var got *http.Request
	r := newRig(t, nil, status(503), func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "one")
		w.Header().Set("X-End", "to end")
	})
	r.client.Transport.(*http.Transport).DisableCompression = true
	resp := r.do("GET", nil, "X-Forwarded-For", "192.0.2.1", "Forwarded", "for=192.0.2.1",
		"Connection", "X-Mine", "X-Mine", "one", "Proxy-Authorization", "secret", "X-End", "to end")
	assert.Equal(t, "to end", resp.Header.Get("X-End"))
	assert.Empty(t, resp.Header.Get("X-Hop"))
	assert.Equal(t, "/path?query", got.URL.String())
	assert.NotEqual(t, r.url, "http://"+got.Host, "the upstream's own name")
	assert.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
	assert.Equal(t, r.url, "http://"+got.Header.Get("X-Forwarded-Host"))
	assert.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))
	assert.Equal(t, "to end", got.Header.Get("X-End"))
	for _, name := range []string{"Forwarded", "X-Mine", "Proxy-Authorization", "Accept-Encoding"} {
		assert.NotContains(t, got.Header, name)
	}
}
