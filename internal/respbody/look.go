// Package respbody handles the body of a response before its caller has it: it is
// looked into, read whole, or discarded. Whatever was read is given to the caller
// once more, every byte and every error at the same place as without insist. Looking
// and discarding are bounded in bytes and in time.
package respbody

import (
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// Body is the body of a response that has been looked into. It gives what
// has been seen once more, then goes on with the source: every byte, and every
// error, at the same place as without us.
type Body struct {
	src     io.ReadCloser
	length  int64     // as far as the head says; -1 if not known
	unpacks bool      // src is net/http's, for a body that came compressed
	start   [512]byte // a chunk of the buffer: most conditions need no more
	chunks  [2][]byte
	look    Reader

	mu      sync.Mutex
	buffer  chunk.Buffer
	size    int64         // bytes on the buffer
	err     error         // what the source ended with
	pending bool          // a Read of the source is under way
	landed  chan struct{} // closed when it has come back, if anybody waits
	off     int64         // the caller's place
	closed  bool          // by the caller: what is on the buffer is not for him any more
	at      chunk.Cursor
}

// newBody returns a body for resp of which as much as limit may be seen.
func newBody(resp *http.Response, limit int64) *Body {
	b := &Body{src: resp.Body, length: resp.ContentLength, unpacks: resp.Uncompressed}
	b.buffer.Lend(b.start[:min(int64(len(b.start)), limit)], b.chunks[:])
	return b
}

// begin starts a Read of the source, of at most most bytes, that may go on after
// the look is over: then it is the caller's first. all means that the whole body
// is wanted; else its start may do.
func (b *Body) begin(most int64, all bool) {
	left := b.length - b.size
	switch {
	case left > 0:
		most = min(most, left)
	case b.length >= 0:
		most = min(most, chunk.First) // for the end, and nothing before it
	}
	b.pending = true
	go b.fill(b.buffer.Room(most, left > 0 && (all || b.size > 0)))
}

func (b *Body) fill(room []byte) {
	n, err := 0, chunk.ErrBadRead
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n < 0 || n > len(room) {
			n, err = 0, chunk.ErrBadRead
		}
		b.buffer.Grow(n)
		b.size, b.err, b.pending = b.size+int64(n), err, false
		if b.landed != nil {
			close(b.landed)
			b.landed = nil
		}
	}()
	n, err = b.src.Read(room)
}

// landing returns a channel that is closed when the Read under way comes back.
func (b *Body) landing() <-chan struct{} {
	if b.landed == nil {
		b.landed = make(chan struct{})
	}
	return b.landed
}

func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	for b.pending && b.off == b.size {
		landed := b.landing()
		b.mu.Unlock()
		<-landed
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.off < b.size && !b.closed {
		n := b.buffer.Read(p, &b.at)
		if b.off += int64(n); b.off == b.size && !b.pending {
			b.buffer.Free()
			b.chunks = [2][]byte{} // or the response would keep them
		}
		return n, nil
	}
	if b.err != nil && !b.closed {
		return 0, b.err
	}
	b.mu.Unlock()
	defer b.mu.Lock()
	return b.src.Read(p)
}

// Close closes the source, which ends a Read under way. Where net/http unpacks the
// body it does not: until gzip's header has come, Close waits for that Read. Then
// nobody waits for Close.
func (b *Body) Close() error {
	b.mu.Lock()
	b.closed = true
	stuck := b.unpacks && b.pending && b.size == 0
	b.mu.Unlock()
	if stuck {
		go b.src.Close()
		return nil
	}
	return b.src.Close()
}
