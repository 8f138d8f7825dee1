package integrationtests

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bodyKind is a kind of request body.
type bodyKind int

const (
	noBody       bodyKind = iota
	inMemory              // as http.NewRequest knows it
	newReaders            // GetBody returns a new reader
	sharedReader          // GetBody rewinds the one reader there is
	onceKnown             // can be read once, with ContentLength
	onceUnknown           // can be read once, without
	seekable              // an io.Seeker without GetBody
	section               // an io.SectionReader
	osFile                // an *os.File
	bodyKinds
)

func (k bodyKind) String() string {
	return [...]string{"no body", "in memory", "GetBody new", "GetBody shared", "once", "once unsized", "seeker", "section", "file"}[k]
}

// bodies makes the body of one request, and knows whether all that was opened of
// it has been closed.
type bodies struct {
	data  []byte
	step  int           // bytes that one Read gives at most
	slow  time.Duration // that each Read takes
	last  bool          // the last bytes come together with io.EOF
	seeks bool          // the reader that GetBody rewinds is an io.Seeker

	about   string
	file    *os.File
	trailer http.Header // of the request, to be filled
	stuckAt int         // the offset, if any, at which a Read waits for Close, or for long

	mu      sync.Mutex
	readers []*reader
}

// give sets req's Body, GetBody and ContentLength.
func (b *bodies) give(req *http.Request, k bodyKind) {
	switch k {
	case noBody:
		return
	case inMemory:
		known, _ := http.NewRequest("POST", "/", b.memory())
		req.Body, req.GetBody, req.ContentLength = known.Body, known.GetBody, known.ContentLength
		return
	case section:
		req.Body = io.NopCloser(io.NewSectionReader(bytes.NewReader(b.data), 0, int64(len(b.data))))
		req.ContentLength = int64(len(b.data))
		return
	case osFile:
		b.file = openFile(b.data)
		req.Body, req.ContentLength = b.file, int64(len(b.data))
		return
	case newReaders:
		req.GetBody = func() (io.ReadCloser, error) { return b.open(), nil }
	case onceUnknown:
		req.Body, req.ContentLength = b.open(), -1
		return
	}
	r := b.open()
	req.Body, req.ContentLength = r, int64(len(b.data))
	switch k {
	case sharedReader:
		if b.seeks {
			req.Body = seeker{r}
		}
		req.GetBody = func() (io.ReadCloser, error) {
			r.off = 0
			r.opened()
			return req.Body, nil
		}
	case seekable:
		// It does not start at its start.
		r.data, r.off = append([]byte("header"), b.data...), len("header")
		req.Body = seeker{r}
	}
}

func (b *bodies) memory() io.Reader {
	switch b.step % 3 {
	case 0:
		return bytes.NewReader(b.data)
	case 1:
		return bytes.NewBuffer(b.data)
	}
	return strings.NewReader(string(b.data))
}

func (b *bodies) open() *reader {
	r := &reader{of: b, data: b.data}
	r.opened()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers = append(b.readers, r)
	return r
}

// left returns how many readers are open.
func (b *bodies) left() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		if _, err := b.file.Stat(); err == nil {
			n++
		}
	}
	for _, r := range b.readers {
		if !r.closed.Load() {
			n++
		}
	}
	return n
}

// openFile returns a file, which has no name any more, that stands at the start of
// data; something else is before it.
func openFile(data []byte) *os.File {
	f, err := os.CreateTemp("", "insist")
	if err != nil {
		panic(err)
	}
	os.Remove(f.Name()) // where the system allows that
	f.Write([]byte("header"))
	f.Write(data)
	f.Seek(int64(len("header")), io.SeekStart)
	return f
}

// reader is a request body. Its position is not guarded, so that the race detector
// sees two attempts that read at once.
type reader struct {
	of     *bodies
	data   []byte
	off    int
	closed atomic.Bool
	shut   chan struct{} // closed by Close; nil if no Read gets stuck
}

// stuckFor is how long a Read gets stuck.
const stuckFor = time.Hour

func (r *reader) opened() {
	r.closed.Store(false)
	if r.of.stuckAt > 0 {
		r.shut = make(chan struct{})
	}
}

func (r *reader) Read(p []byte) (int, error) {
	switch {
	case r.of.stuckAt > 0 && r.off >= r.of.stuckAt:
		select {
		case <-r.shut:
		case <-time.After(stuckFor):
			return 0, io.ErrClosedPipe
		}
	case r.of.slow > 0:
		time.Sleep(r.of.slow)
	}
	if r.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n := copy(p, r.data[r.off:min(len(r.data), r.off+r.of.step)])
	r.off += n
	if r.off == len(r.data) && (n == 0 || r.of.last) {
		if r.of.trailer != nil {
			r.of.trailer.Set("Sum-Trailer", sum(r.of.data))
		}
		return n, io.EOF
	}
	return n, nil
}

// seeker is a reader that seeks. insist must know it by that alone.
type seeker struct{ *reader }

func (r seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(r.off)
	case io.SeekEnd:
		offset += int64(len(r.data))
	}
	r.off = int(offset)
	return offset, nil
}

func (r *reader) Close() error {
	if !r.closed.Swap(true) && r.shut != nil {
		close(r.shut)
	}
	return nil
}

// openBodies counts the response bodies that are open. It is a base between insist
// and net/http's transport.
type openBodies struct {
	base http.RoundTripper
	open atomic.Int32
}

func (c *openBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if err == nil && resp.Body != http.NoBody {
		c.open.Add(1)
		resp.Body = &countedBody{ReadCloser: resp.Body, of: c}
	}
	return resp, err
}

func (c *openBodies) WrappedRoundTripper() http.RoundTripper { return c.base }

type countedBody struct {
	io.ReadCloser
	of     *openBodies
	closed atomic.Bool
}

func (b *countedBody) Close() error {
	if !b.closed.Swap(true) {
		b.of.open.Add(-1)
	}
	return b.ReadCloser.Close()
}
