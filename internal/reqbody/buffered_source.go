package reqbody

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// bufferedSource is a body that can be read only once. Bytes read from it go into a
// buffer, and every reader starts at the beginning of that buffer.
//
// Each Read of the source runs on its own goroutine, which puts the bytes into the
// buffer. So a reader can be closed while the source blocks, no byte is lost to a
// revoked reader, and the next reader waits for the same Read. When buffering has ended,
// one reader reads the source directly.
type bufferedSource struct {
	length length
	limit  int64 // of the buffer, in bytes

	mu       sync.Mutex
	wake     sync.Cond // signals any change below
	src      io.ReadCloser
	err      error // what src ended with, io.EOF included; errRevoked if src was closed before its end
	size     int64 // bytes read from src
	buffer   chunk.Buffer
	attempts attempts
	mode     bufferMode
	phase    phase
	state    closeState // of src
	pulling  bool       // a Read of src is in flight
	puller   func()     // pull: one allocation for all Reads
}

// bufferMode says where the bytes go that are read from the source.
//
//	keeping → passing  the limit was exceeded when no reader was reading
//	keeping → spent    the limit was exceeded when a reader was reading
//	any → claimed      a reader has read the source directly, or the buffer was freed
//
// In every mode but claimed, the buffer holds every byte that was read.
type bufferMode uint8

const (
	keeping bufferMode = iota // into the buffer
	passing                   // to the reader that reads next
	spent                     // as passing, and no further reader can be opened
	claimed                   // as spent, and no other reader can get all bytes
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
	case r.phase != retrying, isCopy && r.attempts.of(l) == nil:
		return nil, errRevoked
	case r.failed():
		return nil, r.err
	case r.mode >= spent:
		return nil, errNotBuffered
	}
	if isCopy {
		b := &bufferedReader{from: r, reader: reader{of: r.attempts.of(l), isCopy: true}}
		b.of.readers.add(&b.reader)
		return b, nil
	}
	var a struct { // one allocation
		attempt
		body bufferedReader
	}
	r.attempts.begin(&a.attempt, l)
	r.wake.Broadcast()
	a.body = bufferedReader{from: r, reader: reader{of: &a.attempt}}
	return &a.body, nil
}

func (r *bufferedSource) revoke(l *Lease, err error, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.attempts.revoke(l, err) && l != nil {
		return
	}
	r.wake.Broadcast()
	if r.mode >= spent { // no other reader can use src, and a Read by the base may block in it
		r.close()
	}
}

// whole is true if the limit is negative, although nothing is buffered: there is only one
// attempt anyway, so the body isn't the reason why no other follows.
func (r *bufferedSource) whole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (r.mode < spent || r.limit < 0) && !r.failed()
}

func (r *bufferedSource) canOverlap() (ever, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.mode == keeping && !r.failed()
	return kept, kept && r.err == io.EOF
}

func (r *bufferedSource) sent(*Lease) bool {
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

// failed reports whether err came from the caller's reader.
func (r *bufferedSource) failed() bool {
	return r.err != nil && r.err != io.EOF && r.err != errRevoked
}

func (r *bufferedSource) keep() (pending bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = last
	r.free()
	if r.attempts.inUse() {
		return false
	}
	if r.attempts.sentAsCopy() {
		return r.state == opened
	}
	r.close()
	return false
}

func (r *bufferedSource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = over
	r.attempts.revoke(nil, errRevoked)
	r.free()
	r.wake.Broadcast()
	r.close()
}

// close closes src once. It unlocks mu during src's Close.
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

// keeps reports whether the bytes read next go into the buffer, because another attempt
// or, in the last attempt, another reader may need them.
func (r *bufferedSource) keeps() bool {
	return r.mode == keeping && (r.phase == retrying || r.attempts.reading() > 1)
}

// free frees the buffer when no reader needs it and no Read writes to it.
func (r *bufferedSource) free() {
	needed := r.phase == retrying || r.attempts.inUse() || r.attempts.sentAsCopy()
	if r.pulling || needed && r.mode != claimed {
		return
	}
	if r.size > 0 {
		r.mode = claimed
	}
	r.buffer.Free()
}

// startPull starts a Read of src on its own goroutine.
func (r *bufferedSource) startPull() {
	r.pulling = true
	if r.puller == nil {
		r.puller = r.pull
	}
	go r.puller()
}

// pull reads src once, into the buffer.
func (r *bufferedSource) pull() {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake.Broadcast()
	if r.state != opened { // the call ended before this goroutine ran
		r.pulling, r.err = false, errRevoked
		return
	}
	r.fetch()
	if r.err == nil && r.keeps() && r.length.reached(r.size) {
		r.fetch() // expects io.EOF; net/http checks that, too
	}
	r.free()
	if r.err != nil {
		r.wake.Broadcast()
		r.close()
	}
}

// fetch reads src once, into the buffer. It requests one byte more than the limit or the
// declared length leaves, to detect a body that exceeds it.
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
	if r.attempts.reading() > 0 {
		r.mode = spent
	}
}

// read reads src once and records the result. It unlocks mu during src's Read.
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
		if r.state != opened && panicked == nil { // a closed source may return io.EOF too early
			r.err = errRevoked
		}
		r.wake.Broadcast()
	})
	return n
}
