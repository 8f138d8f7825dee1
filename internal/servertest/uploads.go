package servertest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
)

// OnlyReader returns a reader of s that can be read only once, and whose type net/http
// doesn't know.
func OnlyReader(s string) io.Reader { return &onlyReader{s} }

type onlyReader struct{ left string }

func (r *onlyReader) Read(p []byte) (int, error) {
	if r.left == "" {
		return 0, io.EOF
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Bodies contains a function for each way to set a request's body. They are for scripted
// bases; Uploads are for servers.
var Bodies = map[string]func(req *http.Request, data string){
	"bytes.Reader":   func(r *http.Request, s string) { r.Body = io.NopCloser(bytes.NewReader([]byte(s))) },
	"bytes.Buffer":   func(r *http.Request, s string) { r.Body = io.NopCloser(bytes.NewBufferString(s)) },
	"strings.Reader": func(r *http.Request, s string) { r.Body = io.NopCloser(strings.NewReader(s)) },
	"partly read": func(r *http.Request, s string) {
		reader := strings.NewReader("head" + s)
		reader.Seek(4, io.SeekStart)
		r.Body = io.NopCloser(reader)
	},
	"read once":         func(r *http.Request, s string) { r.Body = io.NopCloser(OnlyReader(s)) },
	"a byte at a time":  func(r *http.Request, s string) { r.Body = io.NopCloser(iotest.OneByteReader(OnlyReader(s))) },
	"EOF with the data": func(r *http.Request, s string) { r.Body = io.NopCloser(iotest.DataErrReader(OnlyReader(s))) },
	"GetBody": func(r *http.Request, s string) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(OnlyReader(s)), nil }
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
	"file": func(r *http.Request, s string) {
		f := File([]byte("head" + s))
		f.Seek(4, io.SeekStart)
		r.Body = f
	},
	"section": func(r *http.Request, s string) {
		r.Body = io.NopCloser(io.NewSectionReader(strings.NewReader("head"+s+"tail"), 4, int64(len(s))))
	},
	"seeks": func(r *http.Request, s string) {
		r.Body = struct {
			*strings.Reader
			io.Closer
		}{strings.NewReader(s), io.NopCloser(nil)}
	},
}

// File returns an open file that contains data. Its name is already removed, if the system
// allows that for an open file.
func File(data []byte) *os.File {
	f, err := os.CreateTemp("", "insist")
	if err != nil {
		panic(err)
	}
	os.Remove(f.Name())
	if _, err = f.WriteAt(data, 0); err != nil {
		panic(err)
	}
	return f
}

// Unknown hides the type of a reader, and so its length.
func Unknown(r io.Reader) io.ReadCloser { return io.NopCloser(io.MultiReader(r)) }

// Upload is a kind of request body.
type Upload struct {
	Name string
	Give func(req *http.Request, data []byte) *Closes
}

// Uploads are the kinds of request bodies for tests with a server. Most of them are slow.
// Give returns a Closes, which checks that each body was closed, or nil if that can't be
// checked.
var Uploads = []Upload{
	{"in memory", func(req *http.Request, data []byte) *Closes {
		r := bytes.NewReader(data)
		req.Body, req.ContentLength = io.NopCloser(r), int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		return nil
	}},
	{"GetBody", func(req *http.Request, data []byte) *Closes {
		c := new(Closes)
		req.GetBody = func() (io.ReadCloser, error) { return c.Watch(&Slowly{Data: data, Step: 32 << 10}), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(len(data))
		return c
	}},
	{"GetBody that rewinds", func(req *http.Request, data []byte) *Closes {
		shared := &Slowly{Data: data, Step: 8 << 10}
		req.Body, req.ContentLength = shared, int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) {
			shared.rewind()
			return shared, nil
		}
		return nil
	}},
	{"GetBody that rewinds, of unknown length", func(req *http.Request, data []byte) *Closes {
		shared := &Slowly{Data: data, Step: 8 << 10}
		req.Body = shared
		req.GetBody = func() (io.ReadCloser, error) {
			shared.rewind()
			return shared, nil
		}
		return nil
	}},
	{"pipe", func(req *http.Request, data []byte) *Closes {
		r, w := io.Pipe()
		go func() {
			_, err := w.Write(data)
			w.CloseWithError(err)
		}()
		c := new(Closes)
		req.Body = c.Watch(r)
		return c
	}},
	{"slow reader", func(req *http.Request, data []byte) *Closes {
		c := new(Closes)
		req.Body = c.Watch(&Slowly{Data: data, Step: 4 << 10})
		return c
	}},
	{"slow reader of known length", func(req *http.Request, data []byte) *Closes {
		c := new(Closes)
		req.Body, req.ContentLength = c.Watch(&Slowly{Data: data, Step: 4 << 10}), int64(len(data))
		return c
	}},
	{"GetBody and EOF after Close", func(req *http.Request, data []byte) *Closes {
		c := new(Closes)
		req.GetBody = func() (io.ReadCloser, error) {
			return c.Watch(&eofAfterClose{Slowly: Slowly{Data: data, Step: 16 << 10}}), nil
		}
		req.Body, _ = req.GetBody()
		return c
	}},
	{"EOF after Close", func(req *http.Request, data []byte) *Closes {
		c := new(Closes)
		req.Body = c.Watch(&eofAfterClose{Slowly: Slowly{Data: data, Step: 16 << 10}})
		return c
	}},
	{"file", func(req *http.Request, data []byte) *Closes {
		f := File(data)
		req.Body = f
		return &Closes{file: f}
	}},
	{"file of known length", func(req *http.Request, data []byte) *Closes {
		f := File(data)
		req.Body, req.ContentLength = f, int64(len(data))
		return &Closes{file: f}
	}},
	{"slow seeker", func(req *http.Request, data []byte) *Closes {
		c, body := new(Closes), &slowSeeker{Slowly{Data: data, Step: 8 << 10}}
		req.Body = struct {
			io.ReadCloser
			io.Seeker
		}{c.Watch(body), body}
		return c
	}},
}

// slowSeeker is a Slowly that seeks.
type slowSeeker struct{ Slowly }

func (s *slowSeeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(s.Off)
	case io.SeekEnd:
		offset += int64(len(s.Data))
	}
	s.Off = int(offset)
	return offset, nil
}

// Slowly is a reader that returns few bytes at a time, and lets other goroutines run before
// each Read. Its Close does nothing. It panics if two Reads are in flight.
type Slowly struct {
	Data   []byte
	Step   int
	Off    int // of the next Read; without a mutex, so that the race detector finds concurrent use
	inRead atomic.Bool
}

func (s *Slowly) Read(p []byte) (int, error) {
	if !s.inRead.CompareAndSwap(false, true) {
		panic("two reads at once")
	}
	defer s.inRead.Store(false)
	for range 2 {
		runtime.Gosched()
	}
	if s.Off == len(s.Data) {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.Step)], s.Data[s.Off:])
	s.Off += n
	return n, nil
}

func (s *Slowly) Close() error { return nil }

func (s *Slowly) rewind() { s.Off = 0 }

// eofAfterClose is a reader that returns io.EOF after Close, although not all bytes were
// read, as readers of the AWS SDK do.
type eofAfterClose struct {
	mu sync.Mutex
	Slowly
	closed bool
}

func (e *eofAfterClose) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return 0, io.EOF
	}
	return e.Slowly.Read(p)
}

func (e *eofAfterClose) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// Closes counts the bodies that were given, and the calls of their Close.
type Closes struct {
	given, closed, again atomic.Int32
	file                 *os.File // if that is the body
}

// Watch counts body as given, and returns it with a Close that counts.
func (c *Closes) Watch(body io.ReadCloser) io.ReadCloser {
	c.given.Add(1)
	return &watched{ReadCloser: body, by: c}
}

type watched struct {
	io.ReadCloser
	by   *Closes
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

// Check fails t unless each body was closed exactly once. A nil Closes checks nothing.
func (c *Closes) Check(t *testing.T) {
	t.Helper()
	if c == nil {
		return // in memory or shared: its Close is not counted
	}
	Eventually(t, func() bool { return c.closed.Load() == c.given.Load() && c.fileIsClosed() }, "a request body was not closed")
	assert.Zero(t, c.again.Load(), "a request body was closed twice")
}

func (c *Closes) fileIsClosed() bool {
	if c.file == nil {
		return true
	}
	_, err := c.file.Stat()
	return errors.Is(err, os.ErrClosed)
}
