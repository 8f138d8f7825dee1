package insist_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// upload is a kind of request body.
type upload struct {
	name string
	give func(req *http.Request, data []byte) *closes
}

var uploads = []upload{
	{"in memory", func(req *http.Request, data []byte) *closes {
		r := bytes.NewReader(data)
		req.Body, req.ContentLength = io.NopCloser(r), int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		return nil
	}},
	{"GetBody", func(req *http.Request, data []byte) *closes {
		c := new(closes)
		req.GetBody = func() (io.ReadCloser, error) { return c.watch(&slowly{data: data, step: 32 << 10}), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(len(data))
		return c
	}},
	{"GetBody that rewinds", func(req *http.Request, data []byte) *closes {
		shared := &slowly{data: data, step: 8 << 10}
		req.Body, req.ContentLength = shared, int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) {
			shared.rewind()
			return shared, nil
		}
		return nil
	}},
	{"GetBody that rewinds, of unknown length", func(req *http.Request, data []byte) *closes {
		shared := &slowly{data: data, step: 8 << 10}
		req.Body = shared
		req.GetBody = func() (io.ReadCloser, error) {
			shared.rewind()
			return shared, nil
		}
		return nil
	}},
	{"pipe", func(req *http.Request, data []byte) *closes {
		r, w := io.Pipe()
		go func() {
			_, err := w.Write(data)
			w.CloseWithError(err)
		}()
		c := new(closes)
		req.Body = c.watch(r)
		return c
	}},
	{"slow reader", func(req *http.Request, data []byte) *closes {
		c := new(closes)
		req.Body = c.watch(&slowly{data: data, step: 4 << 10})
		return c
	}},
	{"slow reader of known length", func(req *http.Request, data []byte) *closes {
		c := new(closes)
		req.Body, req.ContentLength = c.watch(&slowly{data: data, step: 4 << 10}), int64(len(data))
		return c
	}},
	{"GetBody and EOF after Close", func(req *http.Request, data []byte) *closes {
		c := new(closes)
		req.GetBody = func() (io.ReadCloser, error) {
			return c.watch(&eofAfterClose{slowly: slowly{data: data, step: 16 << 10}}), nil
		}
		req.Body, _ = req.GetBody()
		return c
	}},
	{"EOF after Close", func(req *http.Request, data []byte) *closes {
		c := new(closes)
		req.Body = c.watch(&eofAfterClose{slowly: slowly{data: data, step: 16 << 10}})
		return c
	}},
}

// slowly is a reader that gives little at a time and lets others go first. Its
// Close does nothing. Two reads at once are a fault that it panics at.
type slowly struct {
	data   []byte
	step   int
	off    int // no mutex: the race detector is to see who shares it
	inRead atomic.Bool
}

func (s *slowly) Read(p []byte) (int, error) {
	if !s.inRead.CompareAndSwap(false, true) {
		panic("two reads at once")
	}
	defer s.inRead.Store(false)
	for range 2 {
		runtime.Gosched()
	}
	if s.off == len(s.data) {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.data[s.off:])
	s.off += n
	return n, nil
}

func (s *slowly) Close() error { return nil }
func (s *slowly) rewind()      { s.off = 0 }

// eofAfterClose is a reader that ends as if all had been read when it is closed,
// as those of the AWS SDK do.
type eofAfterClose struct {
	mu sync.Mutex
	slowly
	closed bool
}

func (e *eofAfterClose) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return 0, io.EOF
	}
	return e.slowly.Read(p)
}

func (e *eofAfterClose) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// closes counts the bodies given and the calls of their Close.
type closes struct{ given, closed, again atomic.Int32 }

func (c *closes) watch(body io.ReadCloser) io.ReadCloser {
	c.given.Add(1)
	return &watched{ReadCloser: body, by: c}
}

type watched struct {
	io.ReadCloser
	by   *closes
	once sync.Once
}

func (w *watched) Close() error {
	first := false
	w.once.Do(func() { first = true })
	if first {
		w.by.closed.Add(1)
	} else {
		w.by.again.Add(1)
	}
	return w.ReadCloser.Close()
}

// check fails t unless each body was closed, once.
func (c *closes) check(t *testing.T) {
	t.Helper()
	if c == nil {
		return // in memory, or shared: the base's to close
	}
	eventually(t, func() bool { return c.closed.Load() == c.given.Load() }, "a request body was not closed")
	assert.Zero(t, c.again.Load(), "a request body was closed twice")
}
