package reqbody

import (
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// bufferedSource is a body that can be read only once. What is read of it goes into a
// buffer, from which every reader starts.
//
// A goroutine that lives for one Read moves bytes from the source into the buffer. So a
// reader can be closed while the source blocks, no byte is lost to a revoked reader, and
// the next reader waits for the same Read. Once nothing more is buffered, a reader reads
// the source by itself.
type bufferedSource struct {
	length length
	limit  int64 // of the buffer, in bytes

	mu      sync.Mutex
	wake    sync.Cond // signals any change below
	src     io.ReadCloser
	err     error // what src ended with, io.EOF included; errRevoked if it was closed meanwhile
	size    int64 // bytes read from src
	buffer  chunk.Buffer
	current *Lease // whose readers are not revoked
	dead    error  // what revoked readers return
	readers readers
	mode    bufferMode
	phase   phase
	state   closeState // of src
	pulling bool       // a Read of src is in flight
}

// bufferMode says what happens to bytes that are read from the source.
//
//	keeping → passing  the limit was exceeded while nobody read
//	keeping → spent    the limit was exceeded by a reader
//	any → claimed      a reader has read the source by itself, or no reader is left
//
// Until it is claimed, the buffer holds all that was read.
type bufferMode uint8

const (
	keeping bufferMode = iota // they go into the buffer
	passing                   // they go to the reader that reads them
	spent                     // the same, and no reader can be opened
	claimed                   // the same, and all other readers lack bytes
)

func newBufferedSource(req *http.Request, limit int64) *bufferedSource {
	r := &bufferedSource{length: lengthOf(req), limit: limit, src: req.Body}
	r.wake.L = &r.mu
	if limit < 0 {
		r.mode = passing
	}
	return r
}

func (r *bufferedSource) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.phase != retrying, r.current != nil && r.current.Number > l.Number:
		return nil, errRevoked
	case r.failed():
		return nil, r.err
	case r.mode >= spent:
		return nil, errNotBuffered
	}
	if r.current != l {
		r.current, r.readers, r.dead = l, readers{}, errRevoked
		r.wake.Broadcast()
	}
	b := &bufferedReader{from: r, reader: reader{of: l, isCopy: isCopy}}
	r.readers.add(&b.reader)
	return b, nil
}

func (r *bufferedSource) revoke(l *Lease, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l != nil && r.current != l {
		return
	}
	r.current, r.readers, r.dead = nil, readers{}, err
	r.wake.Broadcast()
	if r.mode >= spent { // nobody else can read src, and the base's Read may block in it
		r.close()
	}
}

// whole: where nothing is buffered because there is one attempt, that is the reason why
// there is no other.
func (r *bufferedSource) whole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (r.mode < spent || r.limit < 0) && !r.failed()
}

func (r *bufferedSource) sent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil || r.length.reached(r.size)
}

func (r *bufferedSource) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed() {
		return r.err
	}
	return nil
}

// failed reports whether err is of the caller's own making.
func (r *bufferedSource) failed() bool {
	return r.err != nil && r.err != io.EOF && r.err != errRevoked
}

func (r *bufferedSource) keep() (pending bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = last
	r.free()
	if r.readers.inUse() {
		return false
	}
	if r.readers.body == sentAsCopy {
		return r.state == opened
	}
	r.close()
	return false
}

func (r *bufferedSource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.current, r.readers = over, nil, readers{body: released}
	r.free()
	r.wake.Broadcast()
	r.close()
}

// close closes src, once, with mu unlocked while it does.
func (r *bufferedSource) close() {
	if r.state != opened {
		return
	}
	r.state = closing
	r.mu.Unlock()
	protect(func() { r.src.Close() }, func(panicked error) {
		r.mu.Lock()
		r.state = closed
		if panicked != nil {
			r.err = panicked
		}
		r.wake.Broadcast()
	})
}

// keeps reports whether what is read next goes into the buffer: another attempt may
// need it or, in the last one, another reader.
func (r *bufferedSource) keeps() bool {
	return r.mode == keeping && (r.phase == retrying || r.readers.reading > 1)
}

// free frees the buffer when no reader needs it and no Read writes to it.
func (r *bufferedSource) free() {
	needed := r.phase == retrying || r.readers.inUse() || r.readers.body == sentAsCopy
	if r.pulling || needed && r.mode != claimed {
		return
	}
	if r.size > 0 {
		r.mode = claimed
	}
	r.buffer.Free()
}

// pull reads src once, into the buffer.
func (r *bufferedSource) pull() {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake.Broadcast()
	if r.state != opened { // the call had ended before this goroutine ran
		r.pulling, r.err = false, errRevoked
		return
	}
	r.fetch()
	if r.err == nil && r.keeps() && r.length.reached(r.size) {
		r.fetch() // there should be no more; net/http asks, too
	}
	r.free()
	if r.err != nil {
		r.wake.Broadcast()
		r.close()
	}
}

// fetch reads src once, into the buffer. It asks for one byte more than may be kept, or
// than is declared, to see whether that was all.
func (r *bufferedSource) fetch() {
	most := max(0, r.limit-r.size)
	if r.length.declared >= 0 {
		most = min(most, max(0, r.length.declared-r.size))
	}
	most = min(most, 2*chunk.Size) + 1 // more than Room returns, and no overflow
	n := r.read(r.buffer.Room(most, r.length.declared >= 0))
	r.buffer.Grow(n)
	if r.size <= r.limit {
		return
	}
	r.mode = passing
	if r.readers.reading > 0 {
		r.mode = spent
	}
}

// read reads src once, with mu unlocked while it does, and notes what came.
func (r *bufferedSource) read(p []byte) (n int) {
	var err error
	r.pulling = true
	r.mu.Unlock()
	protect(func() { n, err = r.src.Read(p) }, func(panicked error) {
		r.mu.Lock()
		r.pulling = false
		switch {
		case panicked != nil:
			n, err = 0, panicked
		case n < 0 || n > len(p):
			n, err = 0, chunk.ErrBadRead
		}
		r.size += int64(n)
		r.err = r.length.check(r.size, err)
		if r.state != opened && panicked == nil { // being closed it may say that it ends
			r.err = errRevoked
		}
		r.wake.Broadcast()
	})
	return n
}
