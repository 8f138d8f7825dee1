package reqbody

import (
	"io"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// getBodySource is a body with a GetBody of the caller's. GetBody should return a new
// reader, but may rewind one that all share (azcore's, connect's and openai-go's do).
// So one reader of ours at a time has the caller's reader, and GetBody is called only
// while no Read or Close of it is in flight. Whichever other reader goes on after that
// first has GetBody called for itself, and skips what it has returned before.
//
// A caller's reader that seeks is not closed before that, since GetBody may return it
// once more: azcore's returns the caller's own file. Any other is.
type getBodySource struct {
	getBody func() (io.ReadCloser, error)
	length  length

	mu      sync.Mutex
	wake    chan struct{}  // if somebody waits: closed at the next change
	src     io.ReadCloser  // the caller's reader
	owner   *getBodyReader // which src is positioned for, if any
	current *Lease         // whose readers are not revoked
	dead    error          // what revoked readers return
	err     error          // of the caller's own making
	readers readers
	busy    int32 // Reads and Closes in flight
	used    bool  // a reader has owned src
	state   closeState
	phase   phase
	known   uint8    // bytes in head
	head    [32]byte // how the current attempt's body starts
	most    int64    // the most bytes that a reader has returned
}

func newGetBodySource(req *http.Request) *getBodySource {
	return &getBodySource{getBody: req.GetBody, length: lengthOf(req), src: req.Body}
}

// readGrace is how long a reader waits for a Read or Close of the caller's reader to
// end before GetBody is called. Most end at once; a Read that ignores Close may not.
const readGrace = 2 * time.Second

func (r *getBodySource) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for patient := true; ; {
		switch {
		case r.phase == over, r.current != nil && r.current.Number > l.Number:
			return nil, errRevoked
		case r.current != nil && r.current != l:
			r.invalidate(errRevoked, true)
		case r.busy > 0 && !patient:
			return nil, ErrInFlight
		case r.busy > 0:
			patient = r.waitIdle(l)
		case r.isStale():
			r.close()
		default:
			return r.start(l, isCopy)
		}
	}
}

// start returns a new reader that owns src.
func (r *getBodySource) start(l *Lease, isCopy bool) (io.ReadCloser, error) {
	if r.err != nil { // since the last attempt
		return nil, r.err
	}
	if r.current != l {
		r.current, r.readers, r.dead = l, readers{}, errRevoked
	}
	b := &getBodyReader{from: r, reader: reader{of: l, isCopy: isCopy}}
	err := r.renew(b)
	if err != nil {
		return nil, err
	}
	r.readers.add(&b.reader)
	return b, nil
}

// isStale reports whether src has to be closed before GetBody is called.
func (r *getBodySource) isStale() bool { return r.used && r.state == opened && !r.isReusable() }

// isReusable reports whether GetBody may have to return src once more: for another
// attempt or, in the last one, for Body.
func (r *getBodySource) isReusable() bool {
	_, seeks := r.src.(io.Seeker)
	return seeks && (r.phase == retrying || r.phase == last && !r.readers.bodyIsDone())
}

// renew makes src a reader that is at the start of the body, for b. It must be called
// while nothing is in flight and src is not stale.
func (r *getBodySource) renew(b *getBodyReader) error {
	r.owner = nil
	if !r.used {
		r.used, r.owner = true, b
		return nil
	}
	before, wasOpen := r.src, r.state == opened
	src, err := r.callGetBody()
	if err != nil {
		return err
	}
	r.src, r.state, r.owner = src, opened, b
	shared := Same(before, src)
	b.again = shared || b.n > 0
	if !b.again && !b.isCopy { // another attempt's body may start in another way
		r.known = 0
	}
	if wasOpen && !shared {
		r.shut(before)
	}
	return nil
}

func (r *getBodySource) callGetBody() (src io.ReadCloser, err error) {
	protect(func() { src, err = r.getBody() }, func(panicked error) {
		if panicked != nil {
			err, r.err = panicked, panicked
		}
	})
	if err == nil && src == nil {
		err = ErrNoBody
	}
	return src, err
}

// Same reports whether a and b are one reader. Some types of readers can't be compared:
// then it can't be told, and == would panic.
func Same(a, b io.ReadCloser) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// waitIdle waits until something has changed, with mu unlocked while it does. It
// reports false if readGrace has passed, or l's request was canceled.
func (r *getBodySource) waitIdle(l *Lease) bool {
	changed := r.changes()
	r.mu.Unlock()
	defer r.mu.Lock()
	return wait.ForRequest(&l.Request).Await(changed, readGrace)
}

// changes returns a channel that is closed at the next change.
func (r *getBodySource) changes() <-chan struct{} {
	if r.wake == nil {
		r.wake = make(chan struct{})
	}
	return r.wake
}

func (r *getBodySource) changed() {
	if r.wake != nil {
		close(r.wake)
		r.wake = nil
	}
}

func (r *getBodySource) revoke(l *Lease, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l == nil || l == r.current {
		r.invalidate(err, l == nil)
	}
}

// invalidate revokes the current attempt's readers. A Read in flight may have used up
// an attempt's time; otherwise it is waited for if src may be needed once more.
func (r *getBodySource) invalidate(err error, waits bool) {
	l := r.current
	r.dead = err
	if l == nil {
		return
	}
	r.current, r.owner, r.readers = nil, nil, readers{body: released}
	r.changed()
	for waits && r.isReusable() && r.busy > 0 && r.current == nil {
		waits = r.waitIdle(l)
	}
	if r.current == nil && (r.busy > 0 || !r.isReusable()) {
		r.close()
	}
}

func (r *getBodySource) whole() bool { return r.failure() == nil }

func (r *getBodySource) sent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.readers.inUse() || r.owner != nil && r.length.reached(r.owner.n)
}

func (r *getBodySource) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *getBodySource) keep() (pending bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = last
	if r.readers.inUse() {
		return false
	}
	if r.readers.body == sentAsCopy {
		return r.state == opened
	}
	r.close()
	return false
}

func (r *getBodySource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = over
	r.invalidate(r.dead, false) // an attempt may have begun after all were revoked
	r.close()
}

// close closes src, once, with mu unlocked while it does. Hold mu from the decision to
// close until here; otherwise src may already be another reader's.
func (r *getBodySource) close() {
	if r.state != opened {
		return
	}
	r.state, r.owner = closed, nil
	r.shut(r.src)
}

func (r *getBodySource) shut(src io.Closer) {
	r.busy++
	r.mu.Unlock()
	protect(func() { src.Close() }, func(panicked error) {
		r.mu.Lock()
		if panicked != nil {
			r.err = panicked
		}
		r.idle()
	})
}

// read reads src, with mu unlocked while it does.
func (r *getBodySource) read(p []byte) (n int, err error) {
	src := r.src
	r.busy++
	r.mu.Unlock()
	protect(func() { n, err = src.Read(p) }, func(panicked error) {
		r.mu.Lock()
		switch {
		case panicked != nil:
			n, err, r.err = 0, panicked, panicked
		case n < 0 || n > len(p):
			n, err = 0, chunk.ErrBadRead
		}
		r.idle()
	})
	return n, err
}

// idle notes that a Read or Close has ended.
func (r *getBodySource) idle() {
	r.busy--
	if r.busy == 0 {
		r.changed()
	}
}
