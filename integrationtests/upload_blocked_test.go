package integrationtests

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// TestTheEndOfTheContextEndsABlockedUpload is golang/go#78555 on HTTP/1.1.
func TestTheEndOfTheContextEndsABlockedUpload(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		for _, getBody := range []bool{false, true} {
			for _, size := range []int{0, 10, 100_000} {
				mine := errors.New("the caller's cause")
				ctx, cancel := context.WithCancelCause(t.Context())
				ctx, record := insist.WithRecord(ctx)
				body := servertest.NewStuck(servertest.Megabyte[:size], false)
				req, err := http.NewRequestWithContext(ctx, "PUT", s.URL, struct{ io.ReadCloser }{body})
				require.NoError(t, err)
				if getBody {
					req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("unexpected") }
				}
				go func() {
					<-body.Blocked
					cancel(mine)
				}()
				servertest.Within(t, func() {
					_, err := over(s).RoundTrip(req)
					if !errors.Is(err, mine) {
						assert.ErrorIs(t, err, context.Canceled)
					}
				})
				assert.Equal(t, []insist.Reason{insist.ReasonContext}, reasons(t, record))
			}
		}
	})
}

// TestADeadlineEndsABlockedUpload goes through http.Client and its Timeout, too.
func TestADeadlineEndsABlockedUpload(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		servertest.Within(t, func() {
			req, _ := http.NewRequestWithContext(ctx, "PUT", s.URL, struct{ io.ReadCloser }{servertest.NewStuck(nil, false)})
			_, err := over(s).RoundTrip(req)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		servertest.Within(t, func() {
			client := &http.Client{Transport: over(s), Timeout: 20 * time.Millisecond}
			_, err := client.Post(s.URL, "", servertest.NewStuck(nil, false))
			timeout, _ := errors.AsType[interface {
				error
				Timeout() bool
			}](err)
			assert.True(t, timeout != nil && timeout.Timeout(), "%v", err)
		})
	})
}

// TestAnEarlyAnswerIsRetriedWhileTheSourceBlocks lets the source give the rest
// only when the second attempt has reached the server.
func TestAnEarlyAnswerIsRetriedWhileTheSourceBlocks(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		second := make(chan struct{}, 1)
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			if hits.Next(r)%2 == 1 {
				io.CopyN(io.Discard, r.Body, 3)
				http.Error(w, "not now", http.StatusServiceUnavailable)
				return
			}
			second <- struct{}{}
			io.WriteString(w, servertest.DigestOf(r.Body))
		})
		for range 20 {
			req, _ := requestTo(t, s, "POST", "/", nil)
			body, source := io.Pipe()
			req.Body = body
			go func() {
				source.Write(servertest.Megabyte[:10])
				<-second
				source.Write(servertest.Megabyte[10:])
				source.Close()
			}()
			servertest.Within(t, func() {
				resp, err := over(s).RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.ReadAndClose(t, resp))
			})
		}
	})
}

// TestFullDuplex echoes: each word is sent when the last one has come back.
func TestFullDuplex(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			c.EnableFullDuplex()
			c.Flush()
			var word [4]byte
			for {
				if _, err := io.ReadFull(r.Body, word[:]); err != nil {
					return
				}
				w.Write(word[:])
				c.Flush()
			}
		})
		req, _ := requestTo(t, s, "POST", "/", nil)
		body, source := io.Pipe()
		req.Body = body
		servertest.Within(t, func() {
			resp, err := over(s).RoundTrip(req)
			require.NoError(t, err)
			for range 5 {
				source.Write([]byte("word"))
				var back [4]byte
				_, err := io.ReadFull(resp.Body, back[:])
				require.NoError(t, err)
				assert.Equal(t, "word", string(back[:]))
			}
			source.Close()
			assert.Empty(t, servertest.ReadAndClose(t, resp))
		})
	})
}

// TestTheLastAnswerIsWholeWhileTheUploadGoesOn: on HTTP/1.1 an error from the
// request body cuts the response off.
func TestTheLastAnswerIsWholeWhileTheUploadGoesOn(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			io.CopyN(io.Discard, r.Body, 3)
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write(servertest.Megabyte)
		})
		for _, getBody := range []bool{false, true} {
			for range 4 {
				req, record := requestTo(t, s, "POST", "/", nil)
				var last *io.PipeWriter
				req.GetBody = func() (io.ReadCloser, error) {
					body, source := io.Pipe()
					last = source
					go source.Write(servertest.Megabyte[:100])
					return body, nil
				}
				req.Body, _ = req.GetBody()
				if !getBody {
					req.GetBody = nil
				}
				servertest.Within(t, func() {
					resp, err := over(s).RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.DigestOf(resp.Body))
					require.NoError(t, resp.Body.Close())
				})
				assert.Len(t, reasons(t, record), 4)
				last.Close() // on HTTP/1.1 net/http would wait for it for ever
			}
		}
	})
}

// TestAnEndOnCloseIsNotTheBodysEnd: a Read that ends with EOF because it is
// closed must not end the request that is given up as if that had been all.
func TestAnEndOnCloseIsNotTheBodysEnd(t *testing.T) {
	n := 0
	var body *servertest.Stuck
	early := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			return
		}
		<-body.Blocked
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(503)
		http.NewResponseController(w).Flush()
		_, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err)
	}
	for _, getBody := range []bool{false, true} {
		servertest.EachInMemory(t, early, func(t *testing.T, base *http.Transport) {
			body = servertest.NewStuck(servertest.Megabyte[:3], false)
			body.End = io.EOF
			req := memRequest(t, t.Context())
			req.Method, req.Body = "POST", struct{ io.ReadCloser }{body}
			if getBody {
				req.GetBody = func() (io.ReadCloser, error) { return servertest.Unknown(strings.NewReader("hello")), nil }
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
	servertest.EachInMemory(t, early, func(t *testing.T, base *http.Transport) {
		body := servertest.NewStuck(servertest.Megabyte[:3], false)
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
	var body *servertest.Stuck
	early := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		<-body.Blocked
		w.WriteHeader(http.StatusServiceUnavailable)
		http.NewResponseController(w).Flush()
		<-body.Released
	}
	servertest.EachInMemory(t, early, func(t *testing.T, base *http.Transport) {
		body = servertest.NewStuck(servertest.Megabyte[:3], true)
		defer close(body.Released)
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

// slowSeeker is a seeker whose first Read takes some time, or ends with Close.
type slowSeeker struct {
	data   *strings.Reader
	takes  time.Duration
	closed chan bool
	once   sync.Once
}

func (s *slowSeeker) Read(p []byte) (int, error) {
	takes := s.takes
	s.takes = 0
	select {
	case <-time.After(takes):
		return s.data.Read(p)
	case <-s.closed:
		return 0, errors.New("closed")
	}
}

func (s *slowSeeker) Seek(to int64, whence int) (int64, error) { return s.data.Seek(to, whence) }

func (s *slowSeeker) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// TestATimeLimitDuringAReadOfASeeker: the Read may return before the seeker is closed, which
// could not be sent again then. On HTTP/1 net/http waits for the Read, so not for long.
func TestATimeLimitDuringAReadOfASeeker(t *testing.T) {
	const limit = time.Second
	for name, c := range map[string]struct {
		takes, took time.Duration // a Read, and the call
		waits       bool          // RoundTrip waits for the Read, as on HTTP/1
		getBody     bool
		retried     bool
	}{
		"HTTP/1":          {limit + 50*time.Millisecond, limit + 50*time.Millisecond, true, false, true},
		"HTTP/1, GetBody": {limit + 50*time.Millisecond, limit + 50*time.Millisecond, true, true, true},
		"HTTP/1, blocked": {time.Hour, limit + 100*time.Millisecond, true, false, false},
		"HTTP/2":          {limit + 50*time.Millisecond, limit + 50*time.Millisecond, false, false, true},
		"HTTP/2, GetBody": {limit + 50*time.Millisecond, limit + 50*time.Millisecond, false, true, true},
		"HTTP/2, blocked": {time.Hour, limit + 100*time.Millisecond, false, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			body := &slowSeeker{data: strings.NewReader("hello"), takes: c.takes, closed: make(chan bool)}
			var bodies []string
			base := roundTripper(func(req *http.Request) (*http.Response, error) {
				read := make(chan error, 1)
				go func() {
					data, err := io.ReadAll(req.Body)
					req.Body.Close()
					if err == nil {
						bodies = append(bodies, string(data))
					}
					read <- err
				}()
				if c.waits {
					if err := <-read; err != nil {
						return nil, context.Cause(req.Context())
					}
					return response(200), nil
				}
				select {
				case <-read:
					return response(200), nil
				case <-req.Context().Done():
					return nil, context.Cause(req.Context())
				}
			})
			rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{PerAttemptTimeout: limit, Backoff: insist.Constant(0)}}
			req := request(t, "PUT", "http://x/", body)
			if c.getBody {
				req.GetBody = func() (io.ReadCloser, error) { _, err := body.Seek(0, io.SeekStart); return body, err }
			}
			start := time.Now()
			_, err := rt.RoundTrip(req)
			assert.Equal(t, c.took, time.Since(start), name)
			if c.retried {
				assert.NoError(t, err, name)
				assert.Equal(t, []string{"hello"}, bodies, name)
			} else {
				assert.ErrorIs(t, err, context.DeadlineExceeded, name)
				assert.Empty(t, bodies, name)
			}
			synctest.Wait()
			<-body.closed
		})
	}
}
