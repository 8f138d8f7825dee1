package insist

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		"wait":    {Policy{}, nil, 2 * time.Second},
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
