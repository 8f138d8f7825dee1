package insist

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"

	"github.com/seed-552c89fc/insist/internal/chunk"

	"github.com/seed-552c89fc/insist/internal/reqbody"
)

func quickly(b http.RoundTripper, more ...func(*Policy)) *RetryTransport {
	rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}
	for _, f := range more {
		f(&rt.Policy)
	}
	return rt
}

func keepAtMost(n int64) func(*Policy) { return func(p *Policy) { p.MaxReplayBytes = n } }

func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i*7)
	}
	return string(b)
}

// bodies makes a request's body in each of the ways that there are.
var bodies = map[string]func(req *http.Request, data string){
	"bytes.Reader":   func(r *http.Request, s string) { r.Body = io.NopCloser(bytes.NewReader([]byte(s))) },
	"bytes.Buffer":   func(r *http.Request, s string) { r.Body = io.NopCloser(bytes.NewBufferString(s)) },
	"strings.Reader": func(r *http.Request, s string) { r.Body = io.NopCloser(strings.NewReader(s)) },
	"partly read": func(r *http.Request, s string) {
		reader := strings.NewReader("head" + s)
		reader.Seek(4, io.SeekStart)
		r.Body = io.NopCloser(reader)
	},
	"read once":         func(r *http.Request, s string) { r.Body = io.NopCloser(&onlyReader{s}) },
	"a byte at a time":  func(r *http.Request, s string) { r.Body = io.NopCloser(iotest.OneByteReader(&onlyReader{s})) },
	"EOF with the data": func(r *http.Request, s string) { r.Body = io.NopCloser(iotest.DataErrReader(&onlyReader{s})) },
	"GetBody": func(r *http.Request, s string) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&onlyReader{s}), nil }
		r.Body, _ = r.GetBody()
	},
	"GetBody that rewinds": func(r *http.Request, s string) {
		shared := struct{ io.ReadSeeker }{strings.NewReader(s)}
		r.Body = io.NopCloser(shared)
		r.GetBody = func() (io.ReadCloser, error) {
			_, err := shared.Seek(0, io.SeekStart)
			return io.NopCloser(shared), err
		}
	},
}

func TestEachKindOfBodyIsReplayed(t *testing.T) {
	for name, set := range bodies {
		for _, size := range []int{0, 1, 511, 512, 513, chunk.Size, 300_000} {
			if name == "a byte at a time" {
				size = min(size, 2000)
			}
			for _, length := range []int64{-1, 0, int64(size)} {
				data := pattern(size)
				b, req := script(status(503), fails(errLost), status(200)), request(t, "PUT", "http://x/", nil)
				set(req, data)
				req.ContentLength = length
				_, err := quickly(b).RoundTrip(req)
				require.NoError(t, err, name)
				require.Len(t, b.Arrivals(), 3, name)
				for i, h := range b.Arrivals() {
					assert.True(t, data == h.Body, "%s: attempt %d got %d bytes of %d", name, i+1, len(h.Body), size)
				}
			}
		}
	}
}

func TestNoBodyStaysNone(t *testing.T) {
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		req := request(t, "POST", "http://x/", nil)
		req.Body = body
		b := script(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, body, r.Body)
			return status(503)(r)
		})
		_, err := quickly(b).RoundTrip(req)
		require.NoError(t, err)
		assert.Len(t, b.Arrivals(), 3)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	for _, c := range []struct {
		name    string
		limit   int64
		size    int
		length  int64
		want    int
		because Reason
	}{
		{"below", 1000, 999, -1, 3, ReasonAttempts},
		{"exactly", 1000, 1000, -1, 3, ReasonAttempts},
		{"exactly, known", 1000, 1000, 1000, 3, ReasonAttempts},
		{"a byte more", 1000, 1001, -1, 1, ReasonBody},
		{"a byte more, known", 1000, 1001, 1001, 1, ReasonBody},
		{"much more", 1000, 500_000, -1, 1, ReasonBody},
		{"chunks, exactly", 2 * chunk.Size, 2 * chunk.Size, -1, 3, ReasonAttempts},
		{"chunks, a byte more", 2 * chunk.Size, 2*chunk.Size + 1, 2*chunk.Size + 1, 1, ReasonBody},
		{"nothing is kept", -1, 1, -1, 1, ReasonBody},
		{"nothing is kept of nothing", -1, 0, -1, 3, ReasonAttempts},
		{"default", 0, 16 << 20, 16 << 20, 3, ReasonAttempts},
		{"default, a byte more", 0, 16<<20 + 1, -1, 1, ReasonBody},
	} {
		data := pattern(c.size)
		body := &insisttest.Body{Reader: &onlyReader{data}}
		b, req := script(status(503)), request(t, "POST", "http://x/", body)
		req.ContentLength = c.length
		ctx, record := WithRecord(req.Context())
		resp, err := quickly(b, keepAtMost(c.limit)).RoundTrip(req.WithContext(ctx))
		require.NoError(t, err, c.name)
		assert.Equal(t, 503, resp.StatusCode, c.name)
		assert.Len(t, b.Arrivals(), c.want, c.name)
		for _, h := range b.Arrivals() {
			assert.True(t, data == h.Body, c.name)
		}
		last := record.Calls()[0][c.want-1]
		assert.Equal(t, c.because, last.Reason, c.name)
		assert.Equal(t, 1, body.Closes(), c.name)
	}
}

func TestABodyThatWasNotReadCanAlwaysBeSent(t *testing.T) {
	n := 0
	refuses := roundTripper(func(r *http.Request) (*http.Response, error) {
		if n++; n < 3 {
			r.Body.Close()
			return nil, isUnsentError
		}
		data, err := io.ReadAll(r.Body)
		assert.Equal(t, "data", string(data))
		return answer(200), err
	})
	req := request(t, "POST", "http://x/", &onlyReader{"data"})
	_, err := quickly(refuses, keepAtMost(-1)).RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, 3, n)
}

func TestAFailingReaderIsTheCallersOwnFault(t *testing.T) {
	own := errors.New("disk on fire")
	for name, err := range map[string]error{"own": own, "looks like the network's": io.ErrUnexpectedEOF, "uncomparable": uncomparable{[]string{"x"}}} {
		for kind, set := range map[string]func(*http.Request, io.ReadCloser){
			"recorded": func(r *http.Request, b io.ReadCloser) { r.Body = b },
			"GetBody": func(r *http.Request, b io.ReadCloser) {
				r.Body, r.GetBody = b, func() (io.ReadCloser, error) { return b, nil }
			},
		} {
			body := &insisttest.Body{Reader: io.MultiReader(&onlyReader{"some"}, iotest.ErrReader(err))}
			b, req := script(status(200)), request(t, "PUT", "http://x/", nil)
			set(req, body)
			resp, got := quickly(b).RoundTrip(req)
			assert.Nil(t, resp)
			assert.Equal(t, err, got, "%s, %s: as it is", name, kind)
			require.Len(t, b.Arrivals(), 1)
			assert.False(t, b.Arrivals()[0].Whole)
			assert.Equal(t, 1, body.Closes(), "%s, %s", name, kind)
		}
	}
}

type uncomparable struct{ s []string }

func (uncomparable) Error() string { return "uncomparable" }

func TestABodyThatIsNotAsLongAsDeclared(t *testing.T) {
	for name, set := range bodies {
		for _, length := range []int64{3, 5} {
			answered := 0
			b, req := script(func(r *http.Request) (*http.Response, error) {
				resp, err := status(503)(r)
				if err == nil {
					answered++
				}
				return resp, err
			}), request(t, "PUT", "http://x/", nil)
			set(req, "four")
			req.ContentLength = length
			_, err := quickly(b).RoundTrip(req)
			assert.LessOrEqual(t, answered, 1, name)
			if answered == 0 {
				assert.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
				assert.ErrorContains(t, err, "insist: the request body", name)
			}
		}
	}
}

func TestGetBodyMayFail(t *testing.T) {
	gone := errors.New("file gone")
	for _, c := range []struct{ got, want error }{{gone, gone}, {nil, reqbody.ErrNoBody}} {
		body := &insisttest.Body{Reader: &onlyReader{"data"}}
		b, req := script(status(503)), request(t, "PUT", "http://x/", body)
		req.GetBody = func() (io.ReadCloser, error) { return nil, c.got }
		_, err := quickly(b).RoundTrip(req)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, Error{Attempts: 1, Reason: ReasonBody, Status: 503, Cause: c.want}, *e)
		assert.ErrorIs(t, err, c.want)
		assert.Equal(t, 1, body.Closes())
		assert.Equal(t, 1, b.Bodies()[0].Closes())
	}
}

// A reader that is shared and still being read can't be rewound.
func TestABodyStillBeingReadEndsRetrying(t *testing.T) {
	for _, failure := range []error{nil, errLost} {
		synctest.Test(t, func(t *testing.T) {
			slow := &stuckBody{release: make(chan struct{})}
			b := roundTripper(func(r *http.Request) (*http.Response, error) {
				go r.Body.Read(make([]byte, 10)) // goes on after the answer
				synctest.Wait()
				if failure != nil {
					return nil, failure
				}
				return answer(503), nil
			})
			req := request(t, "PUT", "http://x/", slow)
			req.GetBody = func() (io.ReadCloser, error) {
				t.Error("GetBody was called during a Read")
				return slow, nil
			}
			ctx, record := WithRecord(req.Context())
			_, err := quickly(b).RoundTrip(req.WithContext(ctx))
			if failure != nil {
				assert.True(t, err == failure, "the last error, as it is")
			} else {
				assert.ErrorIs(t, err, reqbody.ErrInFlight)
			}
			assert.Equal(t, ReasonBody, record.Calls()[0][0].Reason)
			assert.False(t, record.Calls()[0][0].Retry)
			close(slow.release)
		})
	}
}

// stuckBody's Read ignores its Close.
type stuckBody struct{ release chan struct{} }

func (b *stuckBody) Read([]byte) (int, error) { <-b.release; return 0, io.EOF }
func (b *stuckBody) Close() error             { return nil }

// A base may go on reading after it has returned and after it has closed the
// body; it must not get a byte that belongs to the next attempt.
func TestADeadAttemptStealsNothing(t *testing.T) {
	for name, set := range bodies {
		data := pattern(100_000)
		var late []io.ReadCloser
		n := 0
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n < 3 {
				io.CopyN(io.Discard, r.Body, int64(n*1000))
				late = append(late, r.Body)
				return answer(503), nil
			}
			var got bytes.Buffer
			for got.Len() < len(data) {
				for _, body := range late {
					body.Read(make([]byte, 100))
				}
				if _, err := io.CopyN(&got, r.Body, 999); err != nil {
					break
				}
			}
			assert.True(t, data == got.String(), name)
			return answer(200), nil
		})
		req := request(t, "PUT", "http://x/", nil)
		set(req, data)
		_, err := quickly(b).RoundTrip(req)
		require.NoError(t, err, name)
	}
}

func TestTheEndOfTheContextEndsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe() // nothing is ever written
		defer w.Close()
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			_, err := req.Body.Read(make([]byte, 1)) // as HTTP/1 does, whatever the context
			return nil, err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := quickly(b).RoundTrip(request(t, "POST", "http://x/", r).WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestABaseThatAsksTooOftenIsStopped(t *testing.T) {
	for name, set := range bodies {
		n := 0
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			for r.GetBody != nil { // HTTP/2 against a server that resets every stream
				r.Body.Close()
				body, err := r.GetBody()
				if err != nil {
					return nil, err
				}
				if r.Body, n = body, n+1; n > 1000 {
					break
				}
			}
			return answer(503), nil
		})
		req := request(t, "PUT", "http://x/", nil)
		set(req, "data")
		quickly(b).RoundTrip(req)
		assert.LessOrEqual(t, n, 3*7, name)
	}
}

func TestTrailersTravelWithEachAttempt(t *testing.T) {
	for name, set := range bodies {
		req := request(t, "PUT", "http://x/", nil)
		set(req, "data")
		req.Trailer = http.Header{"Sum": nil}
		if body, get := req.Body, req.GetBody; name[0] != 'b' && name[0] != 's' && name != "partly read" {
			req.Body = atEOF{body, func() { req.Trailer.Set("Sum", "42") }}
			if get != nil {
				req.GetBody = func() (io.ReadCloser, error) {
					b, err := get()
					return atEOF{b, func() { req.Trailer.Set("Sum", "42") }}, err
				}
			}
		} else {
			req.Trailer.Set("Sum", "42")
		}
		var sums []string
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			io.ReadAll(r.Body)
			sums = append(sums, r.Trailer.Get("Sum"))
			return answer(503), nil
		})
		_, err := quickly(b).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, []string{"42", "42", "42"}, sums, name)
	}
}

// atEOF calls do when the reader is at its end.
type atEOF struct {
	io.ReadCloser
	do func()
}

func (r atEOF) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err == io.EOF {
		r.do()
	}
	return n, err
}

func TestABodyThatEndsItsGoroutine(t *testing.T) {
	b := script(status(200))
	_, err := quickly(b).RoundTrip(request(t, "PUT", "http://x/", readerFunc(func([]byte) (int, error) {
		runtime.Goexit()
		return 0, nil
	})))
	assert.ErrorIs(t, err, chunk.ErrBadRead)
	_, err = quickly(b).RoundTrip(request(t, "PUT", "http://x/", readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil })))
	assert.ErrorIs(t, err, chunk.ErrBadRead)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A reader that fails only when its attempt has been judged ends the call, too.
func TestAReaderThatFailsDuringTheWait(t *testing.T) {
	own := errors.New("disk on fire")
	synctest.Test(t, func(t *testing.T) {
		failed, n := make(chan struct{}), 0
		early := roundTripper(func(r *http.Request) (*http.Response, error) {
			n++
			go r.Body.Read(make([]byte, 1)) // goes on while the answer is judged
			synctest.Wait()
			return answer(503), nil
		})
		body := readerFunc(func([]byte) (int, error) { <-failed; return 0, own })
		time.AfterFunc(time.Second/2, func() { close(failed) })
		rt := &RetryTransport{Base: early, Policy: Policy{Backoff: Constant(time.Second)}}
		_, err := rt.RoundTrip(request(t, "PUT", "http://x/", body))
		assert.ErrorIs(t, err, own)
		assert.Equal(t, 1, n)
	})
}
