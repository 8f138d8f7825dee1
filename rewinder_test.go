package insist

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ended is a source that ends, without an error, once it has been closed.
type ended struct {
	left   int
	closed atomic.Bool
}

func (e *ended) Read(p []byte) (int, error) {
	if e.closed.Load() || e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return n, nil
}

func (e *ended) Close() error { e.closed.Store(true); return nil }

// TestALateCloseIsOfItsOwnAttempt: net/http closes an attempt's body when it
// likes, also while the next one is opened. That one's source is not to be closed.
func TestALateCloseIsOfItsOwnAttempt(t *testing.T) {
	req := request(t, "PUT", "http://x/", nil)
	req.GetBody = func() (io.ReadCloser, error) { return &ended{left: 10}, nil }
	for range 20_000 {
		req.Body, _ = req.GetBody()
		r := newRewinder(req)
		first, err := r.open(new(attempt))
		require.NoError(t, err)
		var closing sync.WaitGroup
		closing.Go(func() { first.Close() })
		next, err := r.open(new(attempt))
		require.NoError(t, err)
		closing.Wait()
		data, err := io.ReadAll(next)
		require.NoError(t, err)
		if !assert.Len(t, data, 10) {
			return
		}
		next.Close()
	}
}

// What ends an attempt may come when the next one is under way, whose reader goes
// on.
func TestALateEndIsOfItsOwnAttempt(t *testing.T) {
	put := func() *http.Request {
		return request(t, "PUT", "http://x/", io.MultiReader(strings.NewReader("hello")))
	}
	rewinds := put()
	rewinds.GetBody = func() (io.ReadCloser, error) { return put().Body, nil }
	for _, s := range []stream{newRewinder(rewinds), newRecorder(put(), 10)} {
		first, second := new(attempt), new(attempt)
		_, err := s.open(first)
		require.NoError(t, err)
		body, err := s.open(second)
		require.NoError(t, err)
		s.revoke(first, errLost)
		data, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, "hello", string(data))
		s.revoke(second, errLost)
		_, err = body.Read(make([]byte, 1))
		assert.Equal(t, errLost, err)
		s.end()
	}
}

// slowCloser takes a second to close, by which it would end the body that GetBody
// rewinds meanwhile.
type slowCloser struct {
	io.Reader
	closed bool
}

func (c *slowCloser) Close() error {
	time.Sleep(time.Second)
	c.closed = true
	return nil
}

func TestGetBodyIsNotCalledDuringAClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &slowCloser{Reader: strings.NewReader("hello")}
		req := request(t, "PUT", "http://x/", nil)
		req.Body = body
		req.GetBody = func() (io.ReadCloser, error) {
			assert.True(t, body.closed)
			return body, nil
		}
		r := newRewinder(req)
		first, err := r.open(new(attempt))
		require.NoError(t, err)
		go first.Close()
		synctest.Wait()
		_, err = r.open(new(attempt))
		require.NoError(t, err)
		r.end()
	})
}

// The context may end while the base is having the body opened again. The reader
// is dead then: what its source answers to Close is not the body's end.
func TestABodyOpenedWhileTheCallEnds(t *testing.T) {
	req := request(t, "PUT", "http://x/", &ended{left: 10})
	req.GetBody = func() (io.ReadCloser, error) { return &ended{left: 10}, nil }
	rewinds, records := newRewinder(req), newRecorder(req, 10)
	for _, s := range []stream{rewinds, records} {
		s.revoke(nil, errLost)
		body, err := s.open(new(attempt)) // was under way
		require.NoError(t, err)
		s.end()
		_, err = body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, errRevoked)
		_, err = s.open(new(attempt))
		assert.ErrorIs(t, err, errRevoked)
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

// TestAFileThatBlocks is not closed as long as its Read may end by itself, but when
// the attempt has no time left.
func TestAFileThatBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		err    error // of the first attempt
		took   time.Duration
	}{
		"wait":    {Policy{}, nil, readGrace},
		"timeout": {Policy{PerAttemptTimeout: time.Second}, nil, time.Second},
		"end":     {Policy{RetryableError: func(error) bool { return false }}, errLost, 0},
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
				return answer(503), nil
			})
			c.policy.Backoff = Constant(0)
			start := time.Now()
			resp, err := (&RetryTransport{Base: b, Policy: c.policy}).RoundTrip(req)
			if require.ErrorIs(t, err, c.err, name); err == nil {
				assert.Equal(t, 200, resp.StatusCode)
			}
			assert.Equal(t, c.took, time.Since(start), name)
			assert.EqualValues(t, 1, f.closed.Load(), name)
		})
	}
}
