package integrationtests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

func TestEachKindOfBodyIsReplayed(t *testing.T) {
	for name, set := range servertest.Bodies {
		for _, size := range []int{0, 1, 511, 512, 513, chunk.Size, 300_000} {
			if name == "a byte at a time" {
				size = min(size, 2000)
			}
			for _, length := range []int64{-1, 0, int64(size)} {
				data := string(servertest.Pattern(size))
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
		because insist.Reason
	}{
		{"below", 1000, 999, -1, 3, insist.ReasonAttempts},
		{"exactly", 1000, 1000, -1, 3, insist.ReasonAttempts},
		{"exactly, known", 1000, 1000, 1000, 3, insist.ReasonAttempts},
		{"a byte more", 1000, 1001, -1, 1, insist.ReasonBody},
		{"a byte more, known", 1000, 1001, 1001, 1, insist.ReasonBody},
		{"much more", 1000, 500_000, -1, 1, insist.ReasonBody},
		{"chunks, exactly", 2 * chunk.Size, 2 * chunk.Size, -1, 3, insist.ReasonAttempts},
		{"chunks, a byte more", 2 * chunk.Size, 2*chunk.Size + 1, 2*chunk.Size + 1, 1, insist.ReasonBody},
		{"nothing is kept", -1, 1, -1, 1, insist.ReasonBody},
		{"nothing is kept of nothing", -1, 0, -1, 3, insist.ReasonAttempts},
		{"default", 0, 16 << 20, 16 << 20, 3, insist.ReasonAttempts},
		{"default, a byte more", 0, 16<<20 + 1, -1, 1, insist.ReasonBody},
	} {
		data := string(servertest.Pattern(c.size))
		body := &insisttest.Body{Reader: servertest.OnlyReader(data)}
		b, req := script(status(503)), request(t, "POST", "http://x/", body)
		req.ContentLength = c.length
		ctx, record := insist.WithRecord(req.Context())
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
			return nil, servertest.ErrUnsent
		}
		data, err := io.ReadAll(r.Body)
		assert.Equal(t, "data", string(data))
		return response(200), err
	})
	req := request(t, "POST", "http://x/", servertest.OnlyReader("data"))
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
			body := &insisttest.Body{Reader: io.MultiReader(servertest.OnlyReader("some"), iotest.ErrReader(err))}
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

func TestAScriptedBodyThatIsNotAsLongAsDeclared(t *testing.T) {
	for name, set := range servertest.Bodies {
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
		body := &insisttest.Body{Reader: servertest.OnlyReader("data")}
		b, req := script(status(503)), request(t, "PUT", "http://x/", body)
		req.GetBody = func() (io.ReadCloser, error) { return nil, c.got }
		_, err := quickly(b).RoundTrip(req)
		e, ok := errors.AsType[*insist.Error](err)
		require.True(t, ok)
		assert.Equal(t, insist.Error{Attempts: 1, Reason: insist.ReasonBody, Status: 503, Cause: c.want}, *e)
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
				go r.Body.Read(make([]byte, 10)) // goes on after the response
				synctest.Wait()
				if failure != nil {
					return nil, failure
				}
				return response(503), nil
			})
			req := request(t, "PUT", "http://x/", slow)
			req.GetBody = func() (io.ReadCloser, error) {
				t.Error("GetBody was called during a Read")
				return slow, nil
			}
			ctx, record := insist.WithRecord(req.Context())
			_, err := quickly(b).RoundTrip(req.WithContext(ctx))
			if failure != nil {
				assert.True(t, err == failure, "the last error, as it is")
			} else {
				assert.ErrorIs(t, err, reqbody.ErrInFlight)
			}
			assert.Equal(t, insist.ReasonBody, record.Calls()[0][0].Reason)
			assert.False(t, record.Calls()[0][0].Retry)
			close(slow.release)
		})
	}
}

// stuckBody's Read ignores its Close.
type stuckBody struct{ release chan struct{} }

func (b *stuckBody) Read([]byte) (int, error) { <-b.release; return 0, io.EOF }

func (b *stuckBody) Close() error { return nil }

// A base may go on reading after it has returned and after it has closed the
// body; it must not get a byte that belongs to the next attempt.
func TestADeadAttemptStealsNothing(t *testing.T) {
	for name, set := range servertest.Bodies {
		data := string(servertest.Pattern(100_000))
		var late []io.ReadCloser
		n := 0
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n < 3 {
				io.CopyN(io.Discard, r.Body, int64(n*1000))
				late = append(late, r.Body)
				return response(503), nil
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
			return response(200), nil
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
	for name, set := range servertest.Bodies {
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
			return response(503), nil
		})
		req := request(t, "PUT", "http://x/", nil)
		set(req, "data")
		quickly(b).RoundTrip(req)
		assert.LessOrEqual(t, n, 3*7, name)
	}
}

func TestTrailersTravelWithEachAttempt(t *testing.T) {
	for name, set := range servertest.Bodies {
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
			return response(503), nil
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

// What a Read of the caller's throws reaches the caller: it ran on a goroutine of ours,
// where a panic would have ended the process.
func TestABodyThatPanics(t *testing.T) {
	for name, getBody := range map[string]func() (io.ReadCloser, error){
		"read once": nil,
		"GetBody":   func() (io.ReadCloser, error) { return nil, errLost },
	} {
		own := errors.New("disk on fire")
		body := &insisttest.Body{Reader: servertest.ReaderFunc(func([]byte) (int, error) { panic(own) })}
		req := request(t, "PUT", "http://x/", body)
		req.GetBody = getBody
		assert.PanicsWithValue(t, own, func() { quickly(script(status(200))).RoundTrip(req) }, name)
		assert.Equal(t, 1, body.Closes(), name)
	}
}

func TestABodyThatEndsItsGoroutine(t *testing.T) {
	returned, done := false, make(chan struct{})
	body := &insisttest.Body{Reader: servertest.ReaderFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil })}
	go func() {
		defer close(done)
		quickly(script(status(200))).RoundTrip(request(t, "PUT", "http://x/", body))
		returned = true
	}()
	<-done
	assert.False(t, returned, "the caller's goroutine goes on")
	assert.Equal(t, 1, body.Closes())
}

func TestABodyThatMiscounts(t *testing.T) {
	for _, count := range []int{-1, 1 << 20} {
		body := servertest.ReaderFunc(func([]byte) (int, error) { return count, nil })
		_, err := quickly(script(status(200))).RoundTrip(request(t, "PUT", "http://x/", body))
		assert.ErrorIs(t, err, chunk.ErrBadRead)
	}
}

// A reader that fails only when its attempt has been judged ends the call, too.
func TestAReaderThatFailsDuringTheWait(t *testing.T) {
	own := errors.New("disk on fire")
	synctest.Test(t, func(t *testing.T) {
		failed, n := make(chan struct{}), 0
		early := roundTripper(func(r *http.Request) (*http.Response, error) {
			n++
			go r.Body.Read(make([]byte, 1)) // goes on while the response is judged
			synctest.Wait()
			return response(503), nil
		})
		body := servertest.ReaderFunc(func([]byte) (int, error) { <-failed; return 0, own })
		time.AfterFunc(time.Second/2, func() { close(failed) })
		rt := &insist.RetryTransport{Base: early, Policy: insist.Policy{Backoff: insist.Constant(time.Second)}}
		ctx, record := insist.WithRecord(t.Context())
		_, err := rt.RoundTrip(request(t, "PUT", "http://x/", body).WithContext(ctx))
		assert.True(t, err == own, "as it is, not %v", err)
		assert.Equal(t, 1, n)
		assert.Equal(t, insist.ReasonBody, record.Calls()[0][0].Reason)
	})
}

// endsOnClose is a source of which a Read waits for Close, and then says that it
// is at its end.
type endsOnClose struct {
	first  io.Reader
	closed chan struct{}
}

func (e *endsOnClose) Read(p []byte) (int, error) {
	if n, _ := e.first.Read(p); n > 0 {
		return n, nil
	}
	<-e.closed
	return 0, io.EOF
}

func (e *endsOnClose) Close() error { close(e.closed); return nil }

// A body beyond MaxReplayBytes is read by the base itself. If the context ends it,
// it is not sent as if it were whole, and the error is the context's.
func TestTheEndOfTheContextIsNotTheBodysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		source := &endsOnClose{strings.NewReader("longer than the limit"), make(chan struct{})}
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			_, err := io.Copy(io.Discard, r.Body)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			return nil, err
		})
		req := request(t, "PUT", "http://x/", source).WithContext(ctx)
		_, err := quickly(b, keepAtMost(5)).RoundTrip(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A Read that is in flight when an attempt is given up may bring more than is
// kept. The next attempt has it all the same.
func TestTheLimitIsPassedDuringTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			w.Write([]byte("12345678"))
			time.Sleep(time.Second)
			w.Write([]byte("90 and more"))
			w.Close()
		}()
		n := 0
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			if n++; n > 2 {
				data, err := io.ReadAll(req.Body)
				assert.Equal(t, "1234567890 and more", string(data))
				return response(200), err
			}
			io.ReadFull(req.Body, make([]byte, 8))
			go req.Body.Read(make([]byte, 1)) // goes on after the response
			synctest.Wait()
			req.Body.Close()
			return response(503), nil
		})
		req := request(t, "PUT", "http://x/", r)
		resp, err := (&insist.RetryTransport{Base: b, Policy: insist.Policy{MaxReplayBytes: 10}}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	})
}

// What a base asks for when the call has ended is refused, and waits for nothing.
func TestAGetBodyAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late func() (io.ReadCloser, error)
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			late = r.GetBody
			return nil, errLost
		})
		_, err := quickly(b).RoundTrip(request(t, "PUT", "http://x/", servertest.OnlyReader("hello")))
		assert.Equal(t, errLost, err)
		if body, err := late(); err == nil {
			_, err = body.Read(make([]byte, 1))
			assert.Error(t, err)
		}
	})
}

// slowClose is a source that takes its time to close.
type slowClose struct {
	io.Reader
	closed atomic.Bool
}

func (s *slowClose) Close() error {
	time.Sleep(time.Minute)
	s.closed.Store(true)
	return nil
}

// A source is closed when its end is told, or RoundTrip might return before. It
// holds nobody up beyond the context.
func TestTheEndIsToldWhenTheSourceIsClosed(t *testing.T) {
	for _, c := range []struct {
		limit, took time.Duration
		closed      bool
	}{{time.Hour, time.Minute, true}, {time.Second, time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			source, start := &slowClose{Reader: strings.NewReader("hello")}, time.Now()
			_, err := quickly(script(status(200))).RoundTrip(request(t, "POST", "http://x/", source).WithContext(ctx))
			assert.Equal(t, c.closed, err == nil, "%v", err)
			assert.Equal(t, c.took, time.Since(start))
			assert.Equal(t, c.closed, source.closed.Load())
			time.Sleep(time.Hour)
		})
	}
}

// onlyOnce gives its end once, as a file that is closed then does.
type onlyOnce struct {
	io.Reader
	ended bool
}

func (o *onlyOnce) Read(p []byte) (int, error) {
	if o.ended {
		return 0, errors.New("read after the end")
	}
	n, err := o.Reader.Read(p)
	o.ended = err != nil
	return n, err
}

// A base that reads the whole body may forget to close it.
func TestABodyIsClosedAtItsEnd(t *testing.T) {
	for name, rewinds := range map[string]bool{"recorded": false, "GetBody": true} {
		body := &insisttest.Body{Reader: &onlyOnce{servertest.OnlyReader("hello"), false}}
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			data, err := io.ReadAll(r.Body)
			assert.Equal(t, "hello", string(data))
			_, again := r.Body.Read(make([]byte, 1)) // as net/http does
			assert.Equal(t, io.EOF, again)
			return response(200), err
		})
		req := request(t, "PUT", "http://x/", body)
		if rewinds {
			req.GetBody = func() (io.ReadCloser, error) { return nil, errLost }
		}
		_, err := quickly(b).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 1, body.Closes(), name)
	}
}

// A base that gave an attempt up may still be about to repeat it. What its GetBody
// is asked for by then takes nothing from the next attempt.
func TestALateGetBodyIsOfItsOwnAttempt(t *testing.T) {
	for name, set := range servertest.Bodies {
		n := 0
		var late func() (io.ReadCloser, error)
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n < 3 {
				late = r.GetBody
				return response(503), nil
			}
			io.ReadFull(r.Body, make([]byte, 2))
			late()
			data, err := io.ReadAll(r.Body)
			assert.Equal(t, "llo", string(data), name)
			return response(200), err
		})
		req := request(t, "PUT", "http://x/", nil)
		set(req, "hello")
		_, err := quickly(b).RoundTrip(req)
		assert.NoError(t, err, name)
	}
}

// file is a source that seeks, and that can't be used once it is closed.
type file struct {
	*strings.Reader
	gate   chan struct{} // nil, or closed when a Read may return
	closed atomic.Int32
}

func newFile() *file { return &file{Reader: strings.NewReader("hello")} }

func (f *file) Read(p []byte) (int, error) {
	if f.gate != nil {
		<-f.gate
	}
	if f.closed.Load() > 0 {
		return 0, os.ErrClosed
	}
	return f.Reader.Read(p)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	if f.closed.Load() > 0 {
		return 0, os.ErrClosed
	}
	return f.Reader.Seek(offset, whence)
}

func (f *file) Close() error {
	if f.closed.Add(1) == 1 && f.gate != nil {
		close(f.gate)
	}
	return nil
}

// TestAFileIsRewound: azcore's GetBody returns the file that it was given, each
// time, so that it must be open until the call ends. Others open it anew.
func TestAFileIsRewound(t *testing.T) {
	for name, anew := range map[string]bool{"shared": false, "opened anew": true} {
		for _, last := range []step{status(200), status(503), fails(errLost)} {
			files := []*file{newFile()}
			req := request(t, "PUT", "http://x/", files[0])
			req.GetBody = func() (io.ReadCloser, error) {
				if anew {
					files = append(files, newFile())
				}
				f := files[len(files)-1]
				_, err := f.Seek(0, io.SeekStart)
				return f, err
			}
			b := script(status(503), status(503), last)
			_, err := quickly(b).RoundTrip(req)
			if !errors.Is(err, errLost) {
				assert.NoError(t, err, name)
			}
			require.Len(t, b.Arrivals(), 3, name)
			for _, a := range b.Arrivals() {
				assert.Equal(t, "hello", string(a.Body), name)
			}
			for i, f := range files {
				assert.EqualValues(t, 1, f.closed.Load(), "%s, file %d of %d", name, i, len(files))
			}
		}
	}
}

// TestAFileThatBlocks is not closed as long as its Read may end by itself: that is for two
// seconds or, when the attempt has no time left, for a tenth of one.
func TestAFileThatBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		policy insist.Policy
		err    error // of the first attempt
		took   time.Duration
	}{
		"wait":    {insist.Policy{}, nil, 2 * time.Second},
		"timeout": {insist.Policy{PerAttemptTimeout: time.Second}, nil, 1100 * time.Millisecond},
		"end":     {insist.Policy{RetryableError: func(error) bool { return false }}, errLost, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFile()
			f.gate = make(chan struct{})
			req := request(t, "PUT", "http://x/", f)
			req.GetBody = func() (io.ReadCloser, error) { return newFile(), nil }
			n := 0
			b := roundTripper(func(r *http.Request) (*http.Response, error) {
				if n++; n > 1 {
					return status(200)(r)
				}
				reads := func() error { _, err := io.ReadAll(r.Body); return err }
				if c.policy.PerAttemptTimeout > 0 {
					return nil, reads()
				}
				go reads()
				if synctest.Wait(); c.err != nil {
					return nil, c.err
				}
				return response(503), nil
			})
			c.policy.Backoff = insist.Constant(0)
			start := time.Now()
			resp, err := (&insist.RetryTransport{Base: b, Policy: c.policy}).RoundTrip(req)
			if require.ErrorIs(t, err, c.err, name); err == nil {
				assert.Equal(t, 200, resp.StatusCode)
			}
			assert.Equal(t, c.took, time.Since(start), name)
			assert.EqualValues(t, 1, f.closed.Load(), name)
		})
	}
}

// TestAGetBodyThatDoesNotRewind: what is left of a reader is not sent as if it were
// the whole body. That of imroc/req returns the reader it was given, and the length
// is not known.
func TestAGetBodyThatDoesNotRewind(t *testing.T) {
	text := string(servertest.Pattern(100_000))
	for _, c := range []struct {
		name    string
		read    int64 // of the body, by the first attempt
		length  int64
		getBody func(body *strings.Reader, same io.ReadCloser) io.ReadCloser
		err     error
	}{
		{"all read", 1e6, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"most read", 70_000, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"some read of a value", 10, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"some read", 10, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"length known", 10, 100_000, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"nothing read", 0, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, nil},
		{"another reader of the same", 1e6, -1, func(body *strings.Reader, _ io.ReadCloser) io.ReadCloser { return hidden(body) }, reqbody.ErrNotRewound},
		{"a shorter one", 1e6, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return hidden(strings.NewReader(text[:99_999])) }, reqbody.ErrNotRewound},
		{"rewound", 70_000, -1, func(body *strings.Reader, same io.ReadCloser) io.ReadCloser {
			body.Seek(0, io.SeekStart)
			return same
		}, nil},
		{"anew", 1e6, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return hidden(strings.NewReader(text)) }, nil},
		{"a bad count", 10, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return badCount{} }, chunk.ErrBadRead},
	} {
		body := strings.NewReader(text)
		same := hidden(body)
		if strings.HasSuffix(c.name, "value") {
			same = io.NopCloser(struct{ io.Reader }{body})
		}
		req := request(t, "PUT", "http://x/", same)
		req.ContentLength = c.length
		req.GetBody = func() (io.ReadCloser, error) { return c.getBody(body, same), nil }
		n := 0
		_, err := quickly(roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				io.CopyN(io.Discard, r.Body, c.read)
				return response(503), nil
			}
			data, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			assert.True(t, text == string(data), "%s: %d bytes sent", c.name, len(data))
			return response(200), nil
		})).RoundTrip(req)
		require.ErrorIs(t, err, c.err, c.name)
		assert.Equal(t, 2, n, c.name)
	}
}

// hidden is a body of which only Read and Close are to be seen.
func hidden(r io.Reader) io.ReadCloser {
	return &struct {
		io.Reader
		io.Closer
	}{r, io.NopCloser(nil)}
}

type badCount struct{}

func (badCount) Read(p []byte) (int, error) { return len(p) + 1, nil }

func (badCount) Close() error { return nil }
