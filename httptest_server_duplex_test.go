package insist_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestTheEndOfTheContextEndsABlockedUpload is golang/go#78555 on HTTP/1.1.
func TestTheEndOfTheContextEndsABlockedUpload(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		for _, getBody := range []bool{false, true} {
			for _, size := range []int{0, 10, 100_000} {
				mine := errors.New("the caller's cause")
				ctx, cancel := context.WithCancelCause(t.Context())
				ctx, record := insist.WithRecord(ctx)
				body := newStuck(megabyte[:size], false)
				req, err := http.NewRequestWithContext(ctx, "PUT", s.URL, struct{ io.ReadCloser }{body})
				require.NoError(t, err)
				if getBody {
					req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("unexpected") }
				}
				go func() {
					<-body.blocked
					cancel(mine)
				}()
				within(t, func() {
					_, err := s.over().RoundTrip(req)
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
	srvEach(t, func(t *testing.T, p srvProto) {
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		within(t, func() {
			req, _ := http.NewRequestWithContext(ctx, "PUT", s.URL, struct{ io.ReadCloser }{newStuck(nil, false)})
			_, err := s.over().RoundTrip(req)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		within(t, func() {
			client := &http.Client{Transport: s.over(), Timeout: 20 * time.Millisecond}
			_, err := client.Post(s.URL, "", newStuck(nil, false))
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
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		second := make(chan struct{}, 1)
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			if hits.next(r)%2 == 1 {
				io.CopyN(io.Discard, r.Body, 3)
				http.Error(w, "not now", http.StatusServiceUnavailable)
				return
			}
			second <- struct{}{}
			io.WriteString(w, digestOf(r.Body))
		})
		for range 20 {
			req, _ := s.request(t, "POST", "/", nil)
			body, source := io.Pipe()
			req.Body = body
			go func() {
				source.Write(megabyte[:10])
				<-second
				source.Write(megabyte[10:])
				source.Close()
			}()
			within(t, func() {
				resp, err := s.over().RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, digest(megabyte), srvText(t, resp))
			})
		}
	})
}

// TestFullDuplex echoes: each word is sent when the last one has come back.
func TestFullDuplex(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
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
		req, _ := s.request(t, "POST", "/", nil)
		body, source := io.Pipe()
		req.Body = body
		within(t, func() {
			resp, err := s.over().RoundTrip(req)
			require.NoError(t, err)
			for range 5 {
				source.Write([]byte("word"))
				var back [4]byte
				_, err := io.ReadFull(resp.Body, back[:])
				require.NoError(t, err)
				assert.Equal(t, "word", string(back[:]))
			}
			source.Close()
			assert.Empty(t, srvText(t, resp))
		})
	})
}

// TestTheLastAnswerIsWholeWhileTheUploadGoesOn: on HTTP/1.1 an error from the
// request body cuts the response off.
func TestTheLastAnswerIsWholeWhileTheUploadGoesOn(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			io.CopyN(io.Discard, r.Body, 3)
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write(megabyte)
		})
		for _, getBody := range []bool{false, true} {
			for range 4 {
				req, record := s.request(t, "POST", "/", nil)
				var last *io.PipeWriter
				req.GetBody = func() (io.ReadCloser, error) {
					body, source := io.Pipe()
					last = source
					go source.Write(megabyte[:100])
					return body, nil
				}
				req.Body, _ = req.GetBody()
				if !getBody {
					req.GetBody = nil
				}
				within(t, func() {
					resp, err := s.over().RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, digest(megabyte), digestOf(resp.Body))
					require.NoError(t, resp.Body.Close())
				})
				assert.Len(t, reasons(t, record), 4)
				last.Close() // on HTTP/1.1 net/http would wait for it for ever
			}
		}
	})
}
