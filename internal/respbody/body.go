// Package respbody handles the body of a response before the caller gets it: a condition
// peeks at it, or it is buffered completely, or discarded. It promises:
//
//   - The caller gets every byte, and every error at the same offset, as without insist.
//   - Once a Response is returned to the caller, only the caller's own Read writes to it,
//     its Header and its Trailer.
//   - Peeking and discarding are bounded in bytes and in time.
//   - If a Read that we started is in flight, the body is not closed before that Read
//     returns: canceling the attempt's context ends it. Only net/http's own bodies, which
//     allow Close during a Read, are closed at once. We never wait for a body that
//     ignores its context.
//   - If a Read panics or calls runtime.Goexit, so does the goroutine that needs the
//     bytes. If the body is being discarded, the panic is dropped.
package respbody

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/memory"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Attempt is the part of an attempt that is needed to handle its response's body.
type Attempt struct {
	Waiter wait.Waiter

	// Cancel ends the attempt's context, and with it a Read that is in flight. If
	// nil, the attempt has no context of its own.
	Cancel context.CancelCauseFunc

	// Idle bounds how long a Read of the body may return nothing. Zero or negative means
	// no bound. If Idle is positive, Cancel is not nil.
	Idle time.Duration
}

// end ends the attempt's context, if it has its own.
func (a Attempt) end() {
	if a.Cancel != nil {
		a.Cancel(nil)
	}
}

// Body is the body of a response that is read before the caller gets it. For the caller
// it returns the bytes already read, and then continues with the source.
//
// A Read of the source that we start may block, so it runs on its own goroutine, unless
// the body is in memory, as those of caches and recorders are. If a look ends while such a
// Read is in flight, the caller's first Read gets its result. The end of the Body, or its
// Close, ends the attempt's context.
type Body struct {
	resp    http.Response  // what the caller gets instead of base
	base    *http.Response // the base may write to it in a Read; nil after its trailers were copied
	src     io.ReadCloser  // base's body
	attempt Attempt
	reader  Reader
	start   [startSize]byte // the first chunk: most conditions need no more
	chunks  [2][]byte

	fetching func() // fetch: one allocation for all Reads

	mu     sync.Mutex
	state  state
	ready  bool // the body is in memory: a Read of the source never blocks
	buffer chunk.Buffer
	room   []byte        // for the Read in flight
	size   int64         // bytes in the buffer
	err    error         // what the source ended with, or an IdleTimeout
	landed chan struct{} // closed when the Read in flight returns or the body is closed; made on demand
	off    int64         // the caller's position
	at     chunk.Cursor  // off's position in the buffer
}

// startSize uses the rest of a Body's size class: the allocator hands out 896 bytes, 8 of
// which it uses itself.
const startSize = 384

// state says who may use a Body's source.
//
//	idle → reading      we start a Read
//	reading → idle      that Read returns
//	reading → closing   the caller closes the Body
//	closing → closed    the Read returns; then the source is closed
//	idle → closed       the caller closes the Body, and so the source
type state uint8

const (
	idle    state = iota // the caller, or our next Read
	reading              // only our Read, which is in flight
	closing              // only our Read, which is in flight
	closed               // nothing
)

// Open returns a Body for resp, whose Body is not nil. From then on, Response returns the
// response for the caller, and resp must not be used.
func Open(resp *http.Response, a Attempt) *Body {
	b := &Body{resp: *resp, base: resp, src: resp.Body, attempt: a, ready: memory.Reader(resp.Body) != nil}
	b.resp.Body = b
	b.resp.Trailer = resp.Trailer.Clone() // a Read of the last byte fills the base's
	b.buffer.Lend(b.start[:], b.chunks[:])
	return b
}

// Response returns the response for the caller. It is a copy, since the base may still
// write to its own.
func (b *Body) Response() *http.Response { return &b.resp }

// begin starts a Read of at most most bytes, on its own goroutine if it may block. exact
// means that this many bytes are known to follow.
func (b *Body) begin(most int64, exact bool) {
	b.state = reading
	b.room = b.buffer.Room(most, exact)
	if !b.ready {
		if b.fetching == nil {
			b.fetching = b.fetch
		}
		go b.fetching()
		return
	}
	b.mu.Unlock()
	b.fetch()
	b.mu.Lock()
}

// fetch makes the Read that is in flight.
func (b *Body) fetch() {
	room, n, err := b.room, 0, errExited
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, &panicked{v}
		}
		b.land(n, len(room), err)
	}()
	n, err = b.src.Read(room)
}

// land records the result of the Read in flight.
func (b *Body) land(n, room int, err error) {
	b.mu.Lock()
	if n < 0 || n > room {
		n, err = 0, chunk.ErrBadRead
	}
	if b.err == nil { // otherwise the body has already ended, by stall
		b.buffer.Grow(n)
		b.size, b.err = b.size+int64(n), err
	}
	late := b.state == closing
	b.state, b.room = idle, nil // the response must not keep its chunk in memory
	if late {
		b.state = closed
	}
	b.wake()
	b.mu.Unlock()
	if late {
		closeQuietly(b.src)
	}
}

// stall ends the body after the bytes that have arrived, because nothing arrived for
// attempt.Idle. A Read that ignores the context may still be in flight.
func (b *Body) stall() {
	b.err = IdleTimeout(b.attempt.Idle)
	b.attempt.Cancel(b.err)
}

// wake wakes everything that waits for the Read in flight.
func (b *Body) wake() {
	if b.landed != nil {
		close(b.landed)
		b.landed = nil
	}
}

// landing returns the channel to wait on for the Read in flight.
func (b *Body) landing() <-chan struct{} {
	if b.landed == nil {
		b.landed = make(chan struct{})
	}
	return b.landed
}

// Read is the caller's.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.state == reading && b.off == b.size && b.err == nil {
		landed := b.landing()
		b.mu.Unlock()
		<-landed
		b.mu.Lock()
	}
	switch {
	case b.state == closing || b.state == closed:
		return 0, http.ErrBodyReadAfterClose
	case b.off < b.size:
		n := b.buffer.Read(p, &b.at)
		if b.off += int64(n); b.off == b.size && b.state == idle {
			b.buffer.Free()
			b.chunks = [2][]byte{} // so that the response doesn't keep them in memory
		}
		return n, nil
	case b.err != nil:
		return 0, b.end(b.err)
	}
	n, err := b.readSource(p)
	if err != nil {
		err = b.end(err)
	}
	return n, err
}

// readSource reads the source for the caller, with mu unlocked.
func (b *Body) readSource(p []byte) (int, error) {
	b.mu.Unlock()
	defer b.mu.Lock()
	return b.src.Read(p)
}

// end ends the attempt's context and returns err, or panics or exits if the source's Read
// did. At io.EOF it first copies the trailers into the caller's response: net/http fills
// them in during the last Read, and makes the map then if none were announced.
func (b *Body) end(err error) error {
	if err == io.EOF && b.base != nil {
		for key, values := range b.base.Trailer {
			if b.resp.Trailer == nil {
				b.resp.Trailer = make(http.Header)
			}
			b.resp.Trailer[key] = values
		}
		b.base = nil
	}
	b.attempt.end()
	return raise(err)
}

// Close is the caller's.
func (b *Body) Close() error {
	b.mu.Lock()
	before := b.state
	b.state = closed
	if before == reading || before == closing {
		b.state = closing
	}
	b.wake()
	b.mu.Unlock()
	switch before {
	case reading:
		return b.endRead()
	case closing:
		return nil
	}
	b.attempt.end()
	return b.src.Close()
}

// endRead ends the Read in flight, if that is possible. land closes the source when that
// Read has returned.
func (b *Body) endRead() error {
	ownClose := closesDuringRead(b.src)
	if ownClose && !b.base.Uncompressed {
		defer b.attempt.end()
		return b.src.Close() // land closes it again, which does nothing
	}
	b.attempt.end()
	if ownClose && b.attempt.Cancel == nil {
		go b.src.Close() // net/http decompresses it: until gzip's header has arrived, Close waits for the Read
	}
	return nil
}
