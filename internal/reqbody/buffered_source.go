package reqbody

import (
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// bufferedSource is a body that can be read only once. What the attempts send of it is
// kept on a buffer, so that the next attempt can send it again and then go on
// where the last one stopped.
//
// The source is read by a goroutine that lives for one Read and appends to the
// buffer, whichever attempt is alive by then. So an attempt's reader can be closed
// while the source blocks, no byte goes to a dead attempt, and the next one
// waits for the same Read. When nothing is kept any more, reads go straight to
// the source.
type bufferedSource struct {
	length length
	limit  int64 // of what is kept, in bytes

	mu      sync.Mutex
	wake    sync.Cond // any change below
	src     io.ReadCloser
	err     error // what src ended with, io.EOF included
	size    int64 // bytes read of src
	buffer  chunk.Buffer
	reader  *bufferedReader // the reader that is alive, if any
	dead    error           // what dead readers give
	closed  bool            // src has been closed,
	closing bool            // or is being
	pulling bool            // a Read of src is under way
	caller  bool            // err is of the caller's own making
	direct  bool            // nothing more is kept
	over    bool            // the buffer lacks bytes: there can be no other reader
	done    bool            // the call has ended
}

func newBufferedSource(req *http.Request, limit int64) *bufferedSource {
	r := &bufferedSource{length: lengthOf(req), limit: limit, src: req.Body, direct: limit < 0}
	r.wake.L = &r.mu
	return r
}

func (r *bufferedSource) open(a *Lease) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over:
		return nil, errNotBuffered
	case r.caller: // it failed since the last attempt
		return nil, r.err
	case r.done, r.reader != nil && r.reader.of.Number > a.Number:
		return nil, errRevoked
	}
	r.reader, r.dead = &bufferedReader{from: r, of: a}, errRevoked
	r.wake.Broadcast()
	return r.reader, nil
}

func (r *bufferedSource) revoke(a *Lease, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a != nil && (r.reader == nil || r.reader.of != a) {
		return
	}
	r.reader, r.dead = nil, err
	r.wake.Broadcast()
	if r.over { // nobody else will read it, and the base's Read may block in it
		r.close()
	}
}

func (r *bufferedSource) whole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (!r.over || r.limit < 0) && !r.caller // where there is one attempt, that is the reason
}

func (r *bufferedSource) sent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil || r.length.reached(r.size)
}

func (r *bufferedSource) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.caller {
		return r.err
	}
	return nil
}

func (r *bufferedSource) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.direct, r.done = true, true
	r.settle()
	if r.reader == nil || r.reader.closed {
		r.close()
	}
}

func (r *bufferedSource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.reader = true, nil
	r.settle()
	r.wake.Broadcast()
	r.close()
}

// close closes the source, once, with mu unlocked meanwhile.
func (r *bufferedSource) close() {
	if r.closed {
		return
	}
	r.closed, r.closing = true, true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.closing = false
		r.wake.Broadcast()
	}()
	r.src.Close()
}

// settle frees the buffer when nobody will read it and no Read writes to it.
func (r *bufferedSource) settle() {
	reading := r.reader != nil && !r.reader.closed && r.reader.off < r.size
	if (r.done || r.over) && !reading && !r.pulling {
		r.over = r.over || r.size > 0
		r.buffer.Free()
	}
}

// pull reads the source once, onto the buffer.
func (r *bufferedSource) pull() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.pulling, r.err = false, errRevoked
		return // the call had ended before this goroutine ran
	}
	if r.fetch(); r.err == nil && !r.direct && r.length.reached(r.size) {
		r.fetch() // there should be no more, and net/http asks for that, too
	}
	r.settle()
	r.wake.Broadcast()
	if r.err != nil {
		r.close()
	}
}

// fetch reads the source once, onto the buffer. It asks for one byte more than
// there should be, to see whether that was all.
func (r *bufferedSource) fetch() {
	most := r.limit + 1 - r.size
	if r.length.declared >= 0 {
		most = min(most, max(0, r.length.declared-r.size)+1)
	}
	n := r.read(r.buffer.Room(most, r.length.declared >= 0))
	r.buffer.Grow(n)
	if r.size > r.limit {
		r.direct = true
		r.over = r.reader != nil && !r.reader.closed // between two attempts nothing is lost yet
	}
}

// read reads the source once, with mu unlocked meanwhile, and notes what came.
// It does so too when the source ends the goroutine (as a test's FailNow does).
func (r *bufferedSource) read(p []byte) (n int) {
	src, err := r.src, chunk.ErrBadRead
	r.pulling = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.pulling = false
		if n < 0 || n > len(p) {
			n, err = 0, chunk.ErrBadRead
		}
		r.size += int64(n)
		if err = r.length.check(r.size, err); err != nil {
			r.err, r.caller = err, err != io.EOF && !r.closed
		}
		r.wake.Broadcast()
	}()
	n, err = src.Read(p)
	return n
}
