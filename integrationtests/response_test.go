package integrationtests

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
	"github.com/seed-552c89fc/insist/internal/servertest"
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
		var hits servertest.Counter
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if hits.Next(r)%2 == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				w.Write(servertest.Megabyte[:size])
			}
		}, func(t *testing.T, base *http.Transport) {
			hits = servertest.Counter{}
			base.MaxConnsPerHost = 1 // a response that is left open is a deadlock
			var opened atomic.Int32
			for i := range 50 {
				req := memRequest(t, t.Context())
				if req.Method = []string{"GET", "PUT", "POST"}[i%3]; i%3 > 0 {
					servertest.Uploads[i%len(servertest.Uploads)].Give(req, servertest.Megabyte[:i*100])
				}
				resp, err := (&insist.RetryTransport{Base: base, Policy: eager}).RoundTrip(newConns(req, &opened))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				servertest.ReadAndClose(t, resp)
			}
			assert.Equal(t, 100, hits.Count("/"))
			assert.EqualValues(t, 1, opened.Load())
		})
	}
}

// TestResponsesThatDoReplacesCostNoConnection, and the last one is whole, also after
// PerAttemptTimeout has passed.
func TestResponsesThatDoReplacesCostNoConnection(t *testing.T) {
	for name, p := range map[string]insist.Policy{
		"plain": {}, "timed": {PerAttemptTimeout: time.Minute}, "reported": {OnAttempt: func(context.Context, insist.Attempt) {}},
	} {
		var hits atomic.Int32
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if hits.Add(1)%3 != 0 {
				http.Error(w, "not now", http.StatusServiceUnavailable)
				return
			}
			w.Write(servertest.Megabyte[:100_000])
			flush(w)
			time.Sleep(time.Hour)
			w.Write(servertest.Megabyte[100_000:])
		}, func(t *testing.T, base *http.Transport) {
			base.MaxConnsPerHost = 1 // a response that is left open is a deadlock
			var opened atomic.Int32
			client := &http.Client{Transport: base}
			for range 4 {
				resp, err := insist.Do(t.Context(), p, func(ctx context.Context) (*http.Response, error) {
					return client.Do(newConns(memRequest(t, ctx), &opened))
				}, func(resp *http.Response) bool { return resp.StatusCode >= 500 })
				require.NoError(t, err, name)
				assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.DigestOf(resp.Body), name)
				assert.NoError(t, resp.Body.Close())
				synctest.Wait()
			}
			assert.EqualValues(t, 1, opened.Load(), name)
		})
	}
}

// TestAnAnswerWithoutEndDoesNotHoldUpTheNextAttempt: the server ends its 503
// when the next attempt has come, so that waiting for the end would hang.
func TestAnAnswerWithoutEndDoesNotHoldUpTheNextAttempt(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		for _, kind := range []string{"endless", "dribbling", "silent", "zipped"} {
			t.Run(kind, func(t *testing.T) {
				var hits servertest.Counter
				second := make(chan struct{})
				s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
					if hits.Next(r) == 2 {
						close(second)
						return
					}
					goOn(w, kind, second)
				})
				req, _ := requestTo(t, s, "GET", "/", nil)
				servertest.Within(t, func() {
					resp, err := over(s).RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, 200, resp.StatusCode)
					servertest.ReadAndClose(t, resp)
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
			w.Write(servertest.Megabyte)
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
	var hits servertest.Counter
	s := servertest.HTTP1.Start(t, func(w http.ResponseWriter, r *http.Request) {
		if hits.Next(r)%2 == 1 {
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
	proxy.Transport = over(s)
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	for _, to := range []*servertest.Server{s, {Server: front, Base: front.Client().Transport.(*http.Transport)}} {
		req, _ := requestTo(t, to, "GET", "/", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := over(to).RoundTrip(req)
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
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			body := servertest.DigestOf(r.Body)
			switch n := hits.Next(r); {
			case n == 1:
				http.Error(w, "not now", 503)
			case r.URL.Path == "/old":
				http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
			default:
				io.WriteString(w, body)
			}
		})
		for _, u := range servertest.Uploads[:4] {
			hits = servertest.Counter{}
			req, record := requestTo(t, s, "POST", "/old", nil)
			u.Give(req, servertest.Megabyte)
			resp, err := (&http.Client{Transport: over(s)}).Do(req)
			require.NoError(t, err)
			assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.ReadAndClose(t, resp), u.Name)
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
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			w.Header().Set("Content-Length", "5000")
			w.Write(servertest.Megabyte[:1234])
			http.NewResponseController(w).Flush()
			servertest.Cut(r, false)
		})
		for _, method := range []string{"GET", "POST"} {
			req, _ := requestTo(t, s, method, "/"+method, nil)
			resp, err := over(s).RoundTrip(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			assert.Equal(t, servertest.Digest(servertest.Megabyte[:len(body)]), servertest.Digest(body))
			assert.Error(t, err, "however the loss shows")
			assert.Equal(t, 1, hits.Count("/"+method))
		}
	})
}

// TestAGETThatCreatesIsNotRepeatedBelowUs: on a kept connection that is closed
// before the response net/http sends a GET again by itself, and anything that has
// an idempotency key.
func TestAGETThatCreatesIsNotRepeatedBelowUs(t *testing.T) {
	creates := func(p *insist.Policy) { p.Idempotent = func(*http.Request) bool { return false } }
	once := func(p *insist.Policy) { creates(p); p.MaxAttempts = 1 }
	timed := func(p *insist.Policy) { once(p); p.PerAttemptTimeout = time.Minute }
	for _, c := range []struct {
		name   string
		method string
		body   string
		key    bool
		edit   func(*insist.Policy)
		more   bool // than one request
	}{
		{"by default", "GET", "", false, func(*insist.Policy) {}, true},
		{"GET", "GET", "", false, creates, false},
		{"HEAD", "HEAD", "", false, creates, false},
		{"GET with a body", "GET", "x", false, creates, false},
		{"POST with a key", "POST", "x", true, creates, false},
		{"POST with a key, no body", "POST", "", true, creates, false},
		{"PATCH with a key, no body", "PATCH", "", true, creates, false},
		{"DELETE with a key, no body", "DELETE", "", true, creates, false},
		{"GET, one attempt", "GET", "", false, once, false},
		{"POST with a key, one attempt", "POST", "x", true, once, false},
		{"POST with a key, no body, one attempt", "POST", "", true, once, false},
		{"POST with a key, one attempt, timed", "POST", "x", true, timed, false},
		{"GET, one attempt, timed", "GET", "", false, timed, false},
	} {
		servertest.Each(t, func(t *testing.T, p servertest.Proto) {
			var hits servertest.Counter
			s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if hits.Next(r); r.URL.Path == "/create" {
					assert.Equal(t, c.body, string(body))
					assert.Equal(t, c.key, r.Header.Get("Idempotency-Key") == "1")
					if p == servertest.HTTP1 || c.key {
						assert.EqualValues(t, len(c.body), r.ContentLength, "sent as a request without a body")
						assert.Empty(t, r.TransferEncoding)
					}
					servertest.Cut(r, false)
				}
			})
			rt := over(s, c.edit)
			warm, _ := requestTo(t, s, "GET", "/", nil) // the connection is kept
			resp, err := rt.RoundTrip(warm)
			require.NoError(t, err)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()

			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			req, _ := requestTo(t, s, c.method, "/create", body)
			if c.key {
				req.Header.Set("Idempotency-Key", "1")
			}
			_, err = rt.RoundTrip(req)
			require.Error(t, err, c.name)
			assert.Equal(t, c.key, req.Header.Get("Idempotency-Key") == "1", "the caller's request was changed")
			assert.Equal(t, c.more, hits.Count("/create") > 1, "%s: %d requests", c.name, hits.Count("/create"))
		})
	}
}

// TestAGzipAnswerThatStalls: its head has come, and not a byte of its body. There
// net/http's Close waits for a Read in flight, whatever the server is waiting for.
func TestAGzipAnswerThatStalls(t *testing.T) {
	condition := insist.JSONFieldNot("/ok", true)
	for _, c := range []struct {
		name   string
		status int
		edit   func(*insist.Policy)
	}{
		{"thrown away", 503, func(p *insist.Policy) {}},
		{"thrown away after a look", 503, func(p *insist.Policy) { p.RetryableBody = condition }},
		{"closed after a look", 200, func(p *insist.Policy) { p.RetryableBody = condition }},
		{"closed, not whole", 200, func(p *insist.Policy) { p.MaxWholeBytes = 100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			servertest.Each(t, func(t *testing.T, p servertest.Proto) {
				leak.Check(t)
				var hits servertest.Counter
				done, waited := make(chan struct{}), make(chan bool, 1)
				s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
					if hits.Next(r) > 1 {
						return
					}
					w.Header().Set("Content-Encoding", "gzip")
					w.WriteHeader(c.status)
					http.NewResponseController(w).Flush()
					select {
					case <-done:
						waited <- true
					case <-r.Context().Done():
						waited <- true
					case <-time.After(10 * time.Second):
						waited <- false
					}
				})
				req, _ := requestTo(t, s, "GET", "/", nil)
				resp, err := over(s, c.edit, func(p *insist.Policy) { p.MaxPeekTime = -1 }).RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				resp.Body.Close()
				close(done)
				assert.True(t, <-waited, "the client waited for the server")
				s.Close()
				s.Base.CloseIdleConnections()
			})
		})
	}
}

// TestDrainingIsBounded: a 503 that dribbles on holds up the next attempt for
// no longer than 50 ms, and not at all where there is a wait anyway.
func TestDrainingIsBounded(t *testing.T) {
	n := 0
	dribble := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			return
		}
		w.WriteHeader(503)
		for range 1000 {
			io.WriteString(w, ".")
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, wait := range []time.Duration{0, 2 * time.Second} {
		servertest.EachInMemory(t, dribble, func(t *testing.T, base *http.Transport) {
			transport := &insist.RetryTransport{Base: base, Policy: insist.Policy{Backoff: insist.Constant(wait)}}
			start := time.Now()
			resp, err := transport.RoundTrip(memRequest(t, t.Context()))
			require.NoError(t, err)
			resp.Body.Close()
			assert.LessOrEqual(t, time.Since(start), max(wait, 50*time.Millisecond))
		})
	}
}
