package insist

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// rewinder is a body with a GetBody of the caller's. GetBody may return a new
// reader or rewind the one that all attempts share (azcore, connect and
// openai-go do), so it is called only when the last reader is dead and no Read
// of it is under way.
type rewinder struct {
	getBody func() (io.ReadCloser, error)
	length  length
	caller  caller

	mu     sync.Mutex
	src    io.ReadCloser // what the last attempt reads
	used   bool          // an attempt has been given src
	closed bool          // src has been closed
	done   bool          // the call has ended
	busy   int32         // Reads and Closes of a src that are under way
	idle   chan struct{} // if somebody waits for them: closed after the last
	reader *rewound      // the reader that is alive, if any
	dead   error         // what dead readers give
	err    error         // of the caller's own making
}

func newRewinder(req *http.Request) *rewinder {
	return &rewinder{getBody: req.GetBody, length: lengthOf(req), caller: callerOf(req), src: req.Body}
}

func (r *rewinder) open(a *attempt) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for again := true; again; again = r.reader != nil { // opened meanwhile
		if r.reader != nil && r.reader.of.number > a.number {
			return nil, errRevoked
		}
		r.drop(errRevoked)
		r.settle()
	}
	switch {
	case r.done:
		return nil, errRevoked
	case r.busy > 0:
		return nil, errInFlight
	case r.err != nil: // it failed since the last attempt
		return nil, r.err
	case r.used:
		src, err := r.getBody()
		switch {
		case err != nil:
			return nil, err
		case src == nil:
			return nil, errNoBody
		}
		r.src, r.closed = src, false
	}
	r.used = true
	r.reader = &rewound{from: r, of: a}
	return r.reader, nil
}

// readGrace is how long the next attempt waits for a Read, or Close, of the last
// one's body to end. Most do at once; a Read that ignores its Close may never.
const readGrace = 2 * time.Second

// settle waits, with mu unlocked, for what is under way.
func (r *rewinder) settle() {
	if r.busy == 0 {
		return
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	defer r.mu.Lock()
	r.caller.await(idle, readGrace)
}

func (r *rewinder) revoke(a *attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a != nil && (r.reader == nil || r.reader.of != a) {
		return
	}
	r.drop(err)
}

func (r *rewinder) drop(err error) {
	if r.dead = err; r.reader != nil {
		r.reader = nil
		r.close()
	}
}

func (r *rewinder) whole() bool { return r.failure() == nil }

func (r *rewinder) sent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reader == nil || r.reader.ended || r.length.reached(r.reader.n)
}

func (r *rewinder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *rewinder) keep() {}

func (r *rewinder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	r.drop(r.dead) // a reader that was being opened when all were revoked
	r.close()
}

// close closes src, once, with mu unlocked meanwhile. Who has found out with mu
// locked that src is to be closed must not unlock it before: src may be the next
// attempt's by then.
func (r *rewinder) close() {
	if r.closed {
		return
	}
	r.closed = true
	src := r.src
	r.begin()
	defer r.ended()
	src.Close()
}

// begin unlocks mu for as long as a Read or Close takes. ended locks it again; it is
// deferred, since those may panic or end the goroutine.
func (r *rewinder) begin() {
	r.busy++
	r.mu.Unlock()
}

func (r *rewinder) ended() {
	r.mu.Lock()
	if r.busy--; r.busy == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// rewound is one attempt's reader.
type rewound struct {
	from   *rewinder
	of     *attempt
	n      int64
	ended  bool // the source has
	closed bool
}

func (b *rewound) Read(p []byte) (n int, err error) {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := b.gone(); err != nil {
		return 0, err
	}
	n, err = r.read(p)
	if gone := b.gone(); gone != nil {
		return 0, gone
	}
	b.n += int64(n)
	b.ended = b.ended || err != nil
	if err = r.length.check(b.n, err); err == io.EOF {
		r.length.copyTrailer(b.of.request.Trailer)
	} else if err != nil && !r.closed {
		r.err, err = err, &bodyError{err}
	}
	if b.ended { // some bases forget
		r.close()
	}
	return n, err
}

// read is src.Read, with mu unlocked for as long as it takes.
func (r *rewinder) read(p []byte) (int, error) {
	src := r.src
	r.begin()
	defer r.ended()
	return src.Read(p)
}

// gone returns the error for a reader that has ended, or been closed or revoked.
func (b *rewound) gone() error {
	switch {
	case b.from.reader != b:
		return b.from.length.late(b.n, b.from.dead)
	case b.closed:
		return b.from.length.late(b.n, errRevoked)
	case b.ended && b.from.err != nil:
		return &bodyError{b.from.err}
	case b.ended:
		return io.EOF
	}
	return nil
}

func (b *rewound) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.reader == b && !b.closed
	b.closed = true
	if mine {
		r.close()
	}
	return nil
}
