package insist_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// newConns makes req count the connections that are opened for it.
func newConns(req *http.Request, opened *atomic.Int32) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			if !i.Reused {
				opened.Add(1)
			}
		},
	}))
}

// TestDiscardedAnswersCostNoConnection is in virtual time, since net/http keeps no
// connection whose writer has not reported within 50 ms.
func TestDiscardedAnswersCostNoConnection(t *testing.T) {
	for _, size := range []int{0, 20, 5_000} {
		var hits counter
		memEach(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if hits.next(r)%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				w.Write(megabyte[:size])
			}
		}, func(t *testing.T, base *http.Transport) {
			hits = counter{}
			base.MaxConnsPerHost = 1 // a response that is left open is a deadlock
			var opened atomic.Int32
			for i := range 50 {
				req := memRequest(t, t.Context())
				if req.Method = []string{"GET", "PUT", "POST"}[i%3]; i%3 > 0 {
					uploads[i%len(uploads)].give(req, megabyte[:i*100])
				}
				resp, err := (&insist.RetryTransport{Base: base, Policy: eager}).RoundTrip(newConns(req, &opened))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				srvText(t, resp)
			}
			assert.Equal(t, 100, hits.count("/"))
			assert.EqualValues(t, 1, opened.Load())
		})
	}
}

// TestAnAnswerWithoutEndDoesNotHoldUpTheNextAttempt: the server ends its 503
// when the next attempt has come, so that waiting for the end would hang.
func TestAnAnswerWithoutEndDoesNotHoldUpTheNextAttempt(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		for _, kind := range []string{"endless", "dribbling", "silent", "zipped"} {
			t.Run(kind, func(t *testing.T) {
				var hits counter
				second := make(chan struct{})
				s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
					if hits.next(r) == 2 {
						close(second)
						return
					}
					goOn(w, kind, second)
				})
				req, _ := s.request(t, "GET", "/", nil)
				within(t, func() {
					resp, err := s.over().RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, 200, resp.StatusCode)
					srvText(t, resp)
				})
			})
		}
	})
}

// goOn writes a 503 until it is to end.
func goOn(w http.ResponseWriter, kind string, end chan struct{}) {
	out := io.Writer(w)
	if kind == "zipped" {
		w.Header().Set("Content-Encoding", "gzip")
		out = gzip.NewWriter(w)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	for {
		switch kind {
		case "endless":
			w.Write(megabyte)
		case "dribbling":
			io.WriteString(w, ".")
		case "zipped":
			io.WriteString(out, "some text ")
			out.(*gzip.Writer).Flush()
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		if kind == "silent" {
			<-end
		}
		select {
		case <-end:
			return
		default:
		}
	}
}

// TestUpgrade sends a 101 through a ReverseProxy that retries.
func TestUpgrade(t *testing.T) {
	var hits counter
	s := http11.start(t, func(w http.ResponseWriter, r *http.Request) {
		if hits.next(r)%2 == 1 {
			http.Error(w, "not now", 503)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		rw.Flush()
		io.Copy(conn, rw)
	})
	target, _ := url.Parse(s.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = s.over()
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	for _, to := range []*server{s, {front, front.Client().Transport.(*http.Transport)}} {
		req, _ := to.request(t, "GET", "/", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := to.over().RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		require.Implements(t, (*io.ReadWriteCloser)(nil), resp.Body)
		echo := resp.Body.(io.ReadWriteCloser)
		for _, line := range []string{"one\n", "two\n"} {
			io.WriteString(echo, line)
			back, err := bufio.NewReader(echo).ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, line, back)
		}
		require.NoError(t, echo.Close())
	}
}

// TestRedirects retries on each hop, and has a list of attempts for each.
func TestRedirects(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			body := digestOf(r.Body)
			switch n := hits.next(r); {
			case n == 1:
				http.Error(w, "not now", 503)
			case r.URL.Path == "/old":
				http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
			default:
				io.WriteString(w, body)
			}
		})
		for _, u := range uploads[:4] {
			hits = counter{}
			req, record := s.request(t, "POST", "/old", nil)
			u.give(req, megabyte)
			resp, err := (&http.Client{Transport: s.over()}).Do(req)
			require.NoError(t, err)
			assert.Equal(t, digest(megabyte), srvText(t, resp), u.name)
			assert.Equal(t, "/new", resp.Request.URL.Path)
			calls := record.Calls()
			require.Len(t, calls, 2)
			assert.Len(t, calls[0], 2)
			assert.Len(t, calls[1], 2)
		}
	})
}

// TestAConnectionLostInTheBodyIsTheCallersToSee: headers came, and the caller may have read on.
func TestAConnectionLostInTheBodyIsTheCallersToSee(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.next(r)
			w.Header().Set("Content-Length", "5000")
			w.Write(megabyte[:1234])
			http.NewResponseController(w).Flush()
			srvCut(r, false)
		})
		for _, method := range []string{"GET", "POST"} {
			req, _ := s.request(t, method, "/"+method, nil)
			resp, err := s.over().RoundTrip(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			assert.Equal(t, digest(megabyte[:len(body)]), digest(body))
			assert.Error(t, err, "however the loss shows")
			assert.Equal(t, 1, hits.count("/"+method))
		}
	})
}
