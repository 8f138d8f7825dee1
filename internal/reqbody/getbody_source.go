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

// getBodySource is a body for which the caller set GetBody. GetBody should return a new
// reader, but may rewind and return a shared one (azcore's, connect's and openai-go's
// do). So only one of our readers at a time owns the caller's reader, and GetBody is
// called only when no Read or Close of the caller's reader is in flight. If another of
// our readers reads after that, it calls GetBody again and skips the bytes it has
// already returned.
//
// Before GetBody is called, the previous reader is closed, unless it seeks: GetBody may
// return a seeking reader again. azcore's returns the caller's own file.
type getBodySource struct {
	getBody func() (io.ReadCloser, error)
	length  length
	call    wait.Waiter // for the call, not for an attempt

	mu       sync.Mutex
	wake     chan struct{}  // closed at the next change; nil if nothing waits
	src      io.ReadCloser  // the caller's reader
	owner    *getBodyReader // the reader for which src is positioned, if any
	attempts attempts
	err      error // of the caller's reader or GetBody
	busy     int32 // Reads and Closes in flight
	used     bool  // a reader has owned src
	shared   bool  // GetBody rewinds and returns the reader that it returned before
	state    closeState
	phase    phase
	known    uint8    // bytes in head
	head     [32]byte // how the current attempt's body starts
	most     int64    // the most bytes that a reader has returned
}

func newGetBodySource(req *http.Request) *getBodySource {
	return &getBodySource{getBody: req.GetBody, length: lengthOf(req), call: wait.ForRequest(req), src: req.Body}
}

func (r *getBodySource) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for patient := true; ; {
		switch {
		case r.phase == over, isCopy && r.attempts.of(l) == nil:
			return nil, errRevoked
		case r.busy > 0 && !patient:
			return nil, ErrInFlight
		case r.busy > 0:
			patient = r.waitIdle(wait.ForRequest(&l.Request), readGrace)
		case r.isStale():
			r.close()
		default:
			return r.start(l, isCopy)
		}
	}
}

// start returns a new reader that owns src.
func (r *getBodySource) start(l *Lease, isCopy bool) (io.ReadCloser, error) {
	if r.err != nil { // it may have occurred after the last attempt
		return nil, r.err
	}
	if isCopy {
		b := &getBodyReader{from: r, reader: reader{of: r.attempts.of(l), isCopy: true}}
		err := r.renew(b)
		if err != nil {
			return nil, err
		}
		b.of.readers.add(&b.reader)
		return b, nil
	}
	var a struct { // one allocation
		attempt
		body getBodyReader
	}
	a.body = getBodyReader{from: r, reader: reader{of: &a.attempt}}
	err := r.renew(&a.body)
	if err == nil && r.shared && r.attempts.latest != nil {
		r.owner, err = nil, errShared
	}
	if err != nil {
		return nil, err
	}
	r.attempts.begin(&a.attempt, l)
	return &a.body, nil
}

// isStale reports whether src must be closed before GetBody is called.
func (r *getBodySource) isStale() bool { return r.used && r.state == opened && !r.isReusable() }

// isReusable reports whether GetBody may return src again, for another attempt or, in
// the last attempt, for its Body.
func (r *getBodySource) isReusable() bool {
	_, seeks := r.src.(io.Seeker)
	return seeks && (r.phase == retrying || r.phase == last && !r.attempts.bodyIsDone())
}

// renew makes b the owner of src, positioned at the start of the body. Call it only when
// no Read or Close is in flight and src is not stale.
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
	r.shared = r.shared || shared
	b.again = shared || b.n > 0
	if !b.again && !b.isCopy { // another attempt's body may start differently
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

// Same reports whether a and b are the same reader. Some types can't be compared, and ==
// would panic: for these it reports false.
func Same(a, b io.ReadCloser) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// waitIdle waits for the next change, with mu unlocked. It reports false if most has passed
// or w's caller no longer waits.
func (r *getBodySource) waitIdle(w wait.Waiter, most time.Duration) bool {
	changed := r.changes()
	r.mu.Unlock()
	defer r.mu.Lock()
	return w.Await(changed, most)
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

func (r *getBodySource) revoke(l *Lease, err error, grace time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.invalidate(l, err, grace)
}

// invalidate is revoke. It closes src if a Read or Close in flight does not return within
// grace, or if src won't be used again.
func (r *getBodySource) invalidate(l *Lease, err error, grace time.Duration) {
	if a := r.attempts.latest; a != nil && a.lease.Request.Context().Err() != nil {
		grace = min(grace, abortGrace) // also if Body.Revoke comes before abort
	}
	if !r.attempts.revoke(l, err) {
		return
	}
	if r.owner != nil && r.owner.of.dead != nil {
		r.owner = nil
	}
	r.changed()
	for waits := grace > 0; waits && r.isReusable() && r.busy > 0 && r.attempts.latest == nil; {
		waits = r.waitIdle(r.call, grace)
	}
	if r.owner == nil && (r.busy > 0 || !r.isReusable()) {
		r.close()
	}
}

// canOverlap requires that no attempt is in the middle of the body. Even if GetBody
// rewinds a reader that its results share, no attempt loses its position then.
func (r *getBodySource) canOverlap() (ever, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ever = !r.shared && r.err == nil
	return ever, ever && r.busy == 0 && r.attempts.reading() == 0
}

func (r *getBodySource) whole() bool { return r.failure() == nil }

func (r *getBodySource) sent(l *Lease) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.attempts.latest
	if l != nil {
		a = r.attempts.of(l)
	}
	return a == nil || !a.readers.inUse() || r.owner != nil && r.owner.of == a && r.length.reached(r.owner.n)
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
	if r.attempts.inUse() {
		return false
	}
	if r.attempts.sentAsCopy() {
		return r.state == opened
	}
	r.close()
	return false
}

func (r *getBodySource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = over
	r.invalidate(nil, errRevoked, 0) // an attempt may have started since the last revoke
	r.close()
}

// close closes src once. It unlocks mu during src's Close. Hold mu from the decision to
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

// read reads src once. It unlocks mu during src's Read.
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

// idle records that a Read or Close has returned.
func (r *getBodySource) idle() {
	r.busy--
	if r.busy == 0 {
		r.changed()
	}
}
