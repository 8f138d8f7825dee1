package insist_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestAnEndOnCloseIsNotTheBodysEnd: a Read that ends with EOF because it is
// closed must not end the request that is given up as if that had been all.
func TestAnEndOnCloseIsNotTheBodysEnd(t *testing.T) {
	n := 0
	var body *stuck
	early := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			return
		}
		<-body.blocked
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(503)
		http.NewResponseController(w).Flush()
		_, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err)
	}
	for _, getBody := range []bool{false, true} {
		memEach(t, early, func(t *testing.T, base *http.Transport) {
			body = newStuck(megabyte[:3], false)
			body.end = io.EOF
			req := memRequest(t, t.Context())
			req.Method, req.Body = "POST", struct{ io.ReadCloser }{body}
			if getBody {
				req.GetBody = func() (io.ReadCloser, error) { return unknown(strings.NewReader("hello")), nil }
			} else { // the recorder's second attempt waits for the rest
				time.AfterFunc(time.Second, func() { body.Close() })
			}
			resp, err := (&insist.RetryTransport{Base: base, Policy: eager}).RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			resp.Body.Close()
		})
	}
}

// TestABlockedUploadHoldsNothingUp: its reader is closed before the response,
// which else waits for it.
func TestABlockedUploadHoldsNothingUp(t *testing.T) {
	n := 0
	early := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		if n++; n%2 == 1 {
			w.WriteHeader(503)
		}
		io.WriteString(w, "body") // for one without net/http would wait, too
	}
	memEach(t, early, func(t *testing.T, base *http.Transport) {
		body := newStuck(megabyte[:3], false)
		req := memRequest(t, t.Context())
		req.Method, req.Body = "POST", struct{ io.ReadCloser }{body}
		start := time.Now()
		resp, err := (&insist.RetryTransport{Base: base, Policy: eager}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Zero(t, time.Since(start))
		resp.Body.Close()
		body.Close()
	})
}

// TestABodyThatIgnoresItsClose can't be rewound while it is being read: the call
// ends and says why, and does not hang.
func TestABodyThatIgnoresItsClose(t *testing.T) {
	var body *stuck
	early := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		<-body.blocked
		w.WriteHeader(http.StatusServiceUnavailable)
		http.NewResponseController(w).Flush()
		<-body.released
	}
	memEach(t, early, func(t *testing.T, base *http.Transport) {
		body = newStuck(megabyte[:3], true)
		defer close(body.released)
		req := memRequest(t, t.Context())
		req.Method, req.Body = "POST", struct{ io.ReadCloser }{body}
		req.GetBody = func() (io.ReadCloser, error) {
			t.Error("rewound while it was being read")
			return nil, io.EOF
		}
		start := time.Now()
		_, err := (&insist.RetryTransport{Base: base, Policy: eager}).RoundTrip(req)
		own, ok := errors.AsType[*insist.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, insist.ReasonBody, own.Reason)
		assert.Equal(t, 503, own.Status)
		assert.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
}

// TestASmallAnswerThatComesTooLate is begun in time, and not ended.
func TestASmallAnswerThatComesTooLate(t *testing.T) {
	full := megabyte[:30_000]
	n := 0
	late := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			w.Write(full)
			return
		}
		w.Header().Set("Content-Length", "30000")
		w.Write(full[:20_000])
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	memEach(t, late, func(t *testing.T, base *http.Transport) {
		p := eager
		p.MaxWholeBytes, p.PerAttemptTimeout = 1<<20, 5*time.Second
		start := time.Now()
		resp, err := (&insist.RetryTransport{Base: base, Policy: p}).RoundTrip(memRequest(t, t.Context()))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, digest(full), digest(got))
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}
