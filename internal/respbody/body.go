// Package respbody handles the body of a response before the caller has it: it is
// looked into, read whole, or discarded. It promises:
//
//   - The caller gets every byte and every error at the same place as without insist.
//   - Once handed over, the Response, its Header and its Trailer are the caller's:
//     nothing else writes to them but the caller's own Read.
//   - Looking and discarding are bounded in bytes and in time.
//   - A body is not closed while a Read on our account is in flight, unless it is
//     net/http's own, which allows it. That Read is ended by the attempt's context,
//     and Close follows. Nobody waits for a body that ignores its context.
//   - A panic in a Read reaches the goroutine that asked for the bytes, as does
//     runtime.Goexit. Of a discarded body it is dropped.
package respbody

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Attempt is what the attempt that brought a response lends for handling its body.
type Attempt struct {
	Waiter wait.Waiter

	// Cancel ends the attempt's context, and with it a Read that is in flight. If
	// nil, the attempt has no context of its own.
	Cancel context.CancelCauseFunc

	// Idle bounds how long the body may bring nothing while it is being read. Zero or
	// negative means no bound; else there is a Cancel.
	Idle time.Duration
}

// end ends the attempt's context, if it has its own.
func (a Attempt) end() {
	if a.Cancel != nil {
		a.Cancel(nil)
	}
}

// Body is the body of a response that is read before the caller has it. It returns
// what has been read once more, and goes on with the source.
//
// A Read of the source on our account runs on a goroutine of its own, since it may
// block: when a look ends with a Read in flight, that is the caller's first. Its end,
// or Close, ends the attempt's context.
type Body struct {
	resp    http.Response  // what the caller gets in place of base
	base    *http.Response // the base may write to it in a Read; nil once its trailers were copied
	src     io.ReadCloser  // base's body
	attempt Attempt
	reader  Reader
	start   [startSize]byte // the first chunk: most conditions need no more
	chunks  [2][]byte

	mu     sync.Mutex
	state  state
	buffer chunk.Buffer
	size   int64         // bytes on the buffer
	err    error         // what the source ended with, or an IdleTimeout
	landed chan struct{} // closed when the Read in flight returns or the body is closed; made on demand
	off    int64         // the caller's position
	at     chunk.Cursor  // the same
}

// startSize is what is left of a size class of the allocator: 896 bytes, of which the
// allocator uses 8.
const startSize = 416

// state says who may use a Body's source.
//
//	idle → reading      a Read on our account begins
//	reading → idle      it returns
//	reading → closing   the caller closes the Body
//	closing → closed    the Read returns; then the source is closed
//	idle → closed       the caller closes the Body, and so the source
type state uint8

const (
	idle    state = iota // the caller, or our next Read
	reading              // nobody else: our Read is in flight
	closing              // nobody else: our Read is in flight
	closed               // nobody
)

// Open returns a Body for resp, which has one. From then on the response to hand over
// is the Body's.
func Open(resp *http.Response, a Attempt) *Body {
	b := &Body{resp: *resp, base: resp, src: resp.Body, attempt: a}
	b.resp.Body = b
	b.resp.Trailer = resp.Trailer.Clone() // a Read of the last byte fills the base's
	b.buffer.Lend(b.start[:], b.chunks[:])
	return b
}

// Response returns the response to hand over. It is a copy of the base's, which the
// base may still write to.
func (b *Body) Response() *http.Response { return &b.resp }

// begin starts a Read of at most most bytes. exact means that as many are certain to
// come.
func (b *Body) begin(most int64, exact bool) {
	b.state = reading
	go b.fetch(b.buffer.Room(most, exact))
}

func (b *Body) fetch(room []byte) {
	n, err := 0, errExited
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, &panicked{v}
		}
		b.land(n, len(room), err)
	}()
	n, err = b.src.Read(room)
}

// land takes over what the Read in flight has returned.
func (b *Body) land(n, room int, err error) {
	b.mu.Lock()
	if n < 0 || n > room {
		n, err = 0, chunk.ErrBadRead
	}
	if b.err == nil { // else it came too late
		b.buffer.Grow(n)
		b.size, b.err = b.size+int64(n), err
	}
	late := b.state == closing
	b.state = idle
	if late {
		b.state = closed
	}
	b.wake()
	b.mu.Unlock()
	if late {
		closeQuietly(b.src)
	}
}

// stall ends the body with what has come, since it has brought nothing for too long.
// A Read that ignores the context may go on.
func (b *Body) stall() {
	b.err = IdleTimeout(b.attempt.Idle)
	b.attempt.Cancel(b.err)
}

// wake ends all waits for the Read in flight.
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
			b.chunks = [2][]byte{} // or the response would keep them
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

// end returns err to the caller, or does what the source's Read did instead. At the
// end of the body the trailers are the caller's, too: net/http fills them in, and makes
// the map where none were announced, when the Read meets the end.
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

// endRead ends the Read in flight, if that can be done. fetch closes the source when
// the Read has returned.
func (b *Body) endRead() error {
	ownClose := closesDuringRead(b.src)
	if ownClose && !b.base.Uncompressed {
		defer b.attempt.end()
		return b.src.Close() // once more later, which does nothing
	}
	b.attempt.end()
	if ownClose && b.attempt.Cancel == nil {
		go b.src.Close() // net/http unpacks it: until gzip's header has come, Close waits for the Read
	}
	return nil
}
