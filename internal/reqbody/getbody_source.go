package reqbody

import (
	"io"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// getBodySource is a body with a GetBody of the caller's. GetBody may return a new
// reader or rewind the one that all attempts share (azcore, connect and
// openai-go do), so it is called only when the last reader is dead and no Read
// of it is under way. One that seeks is not closed before: azcore's GetBody returns
// the caller's own file, again and again.
type getBodySource struct {
	getBody func() (io.ReadCloser, error)
	length  length
	waiter  wait.Waiter

	mu     sync.Mutex
	src    io.ReadCloser  // what the last attempt reads
	used   bool           // an attempt has been given src
	closed bool           // src has been closed
	last   bool           // no further attempt will be made
	done   bool           // the call has ended
	busy   int32          // Reads and Closes of a src that are under way
	idle   chan struct{}  // if somebody waits for them: closed after the last
	reader *getBodyReader // the reader that is alive, if any
	dead   error          // what dead readers give
	err    error          // of the caller's own making
	head   [32]byte       // how the body starts,
	most   int64          // and how much of it a reader has given at most
}

func newGetBodySource(req *http.Request) *getBodySource {
	return &getBodySource{getBody: req.GetBody, length: lengthOf(req), waiter: wait.ForRequest(req), src: req.Body}
}

func (r *getBodySource) open(a *Lease) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for again := true; again; again = r.reader != nil { // opened meanwhile
		if r.reader != nil && r.reader.of.Number > a.Number {
			return nil, errRevoked
		}
		r.drop(errRevoked, false)
		r.settle()
	}
	switch {
	case r.done:
		return nil, errRevoked
	case r.busy > 0:
		return nil, ErrInFlight
	case r.err != nil: // it failed since the last attempt
		return nil, r.err
	}
	last, open := r.src, r.used && !r.closed
	if r.used {
		src, err := r.getBody()
		switch {
		case err != nil:
			return nil, err
		case src == nil:
			return nil, ErrNoBody
		}
		r.src, r.closed = src, false
	}
	reader := &getBodyReader{from: r, of: a, again: r.used && same(last, r.src)}
	r.used, r.reader = true, reader
	if open && !reader.again {
		r.shut(last)
	}
	return reader, nil
}

// readGrace is how long the next attempt waits for a Read, or Close, of the last
// one's body to end. Most do at once; a Read that ignores its Close may never.
const readGrace = 2 * time.Second

// settle waits, with mu unlocked, for what is under way.
func (r *getBodySource) settle() {
	if r.busy == 0 {
		return
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	defer r.mu.Lock()
	r.waiter.Await(idle, readGrace)
}

func (r *getBodySource) revoke(a *Lease, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a != nil && (r.reader == nil || r.reader.of != a) {
		return
	}
	r.drop(err, a != nil)
}

// drop ends the reader that is alive. late means that an attempt's time is over,
// which may have gone into a Read.
func (r *getBodySource) drop(err error, late bool) {
	if r.dead = err; r.reader == nil {
		return
	}
	if r.reader = nil; r.reusable() && !late {
		r.settle()
	}
	if r.reader == nil && (r.busy > 0 || !r.reusable()) {
		r.close()
	}
}

// reusable reports whether GetBody may return src once more.
func (r *getBodySource) reusable() bool {
	_, seeks := r.src.(io.Seeker)
	return seeks && !r.last
}

// same reports whether a and b are one reader.
func same(a, b io.ReadCloser) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

func (r *getBodySource) whole() bool { return r.failure() == nil }

func (r *getBodySource) sent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reader == nil || r.reader.ended || r.length.reached(r.reader.n)
}

func (r *getBodySource) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *getBodySource) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last = true; r.reader == nil || r.reader.closed || r.reader.ended {
		r.close()
	}
}

func (r *getBodySource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.last = true, true
	r.drop(r.dead, false) // a reader that was being opened when all were revoked
	r.close()
}

// close closes src, once, with mu unlocked meanwhile. Who has found out with mu
// locked that src is to be closed must not unlock it before: src may be the next
// attempt's by then.
func (r *getBodySource) close() {
	if r.closed {
		return
	}
	r.closed = true
	r.shut(r.src)
}

func (r *getBodySource) shut(src io.Closer) {
	r.begin()
	defer r.ended()
	src.Close()
}

// begin unlocks mu for as long as a Read or Close takes. ended locks it again; it is
// deferred, since those may panic or end the goroutine.
func (r *getBodySource) begin() {
	r.busy++
	r.mu.Unlock()
}

func (r *getBodySource) ended() {
	r.mu.Lock()
	if r.busy--; r.busy == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}
