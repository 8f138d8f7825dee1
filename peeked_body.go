package insist

import (
	"io"
	"net/http"
	"sync"
)

// peekedBody is the body of a response that has been looked into. It gives what
// has been seen once more, then goes on with the source: every byte, and every
// error, at the same place as without us.
type peekedBody struct {
	src     io.ReadCloser
	length  int64     // as far as the head says; -1 if not known
	unpacks bool      // src is net/http's, for a body that came compressed
	start   [512]byte // a chunk of the tape: most conditions need no more
	chunks  [2][]byte
	look    peekReader

	mu      sync.Mutex
	tape    tape
	size    int64         // bytes on the tape
	err     error         // what the source ended with
	pending bool          // a Read of the source is under way
	landed  chan struct{} // closed when it has come back, if anybody waits
	off     int64         // the caller's place
	closed  bool          // by the caller: what is on the tape is not for him any more
	at      spot
}

// newPeekedBody returns a body for resp of which as much as limit may be seen.
func newPeekedBody(resp *http.Response, limit int64) *peekedBody {
	b := &peekedBody{src: resp.Body, length: resp.ContentLength, unpacks: resp.Uncompressed}
	b.tape.lend(b.start[:min(int64(len(b.start)), limit)], b.chunks[:])
	return b
}

// begin starts a Read of the source, of at most most bytes, that may go on after
// the look is over: then it is the caller's first. all means that the whole body
// is wanted; else its start may do.
func (b *peekedBody) begin(most int64, all bool) {
	left := b.length - b.size
	switch {
	case left > 0:
		most = min(most, left)
	case b.length >= 0:
		most = min(most, firstChunk) // for the end, and nothing before it
	}
	b.pending = true
	go b.fill(b.tape.room(most, left > 0 && (all || b.size > 0)))
}

func (b *peekedBody) fill(room []byte) {
	n, err := 0, errBadRead
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n < 0 || n > len(room) {
			n, err = 0, errBadRead
		}
		b.tape.grow(n)
		b.size, b.err, b.pending = b.size+int64(n), err, false
		if b.landed != nil {
			close(b.landed)
			b.landed = nil
		}
	}()
	n, err = b.src.Read(room)
}

// landing returns a channel that is closed when the Read under way comes back.
func (b *peekedBody) landing() <-chan struct{} {
	if b.landed == nil {
		b.landed = make(chan struct{})
	}
	return b.landed
}

func (b *peekedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	for b.pending && b.off == b.size {
		landed := b.landing()
		b.mu.Unlock()
		<-landed
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.off < b.size && !b.closed {
		n := b.tape.read(p, &b.at)
		if b.off += int64(n); b.off == b.size && !b.pending {
			b.tape.free()
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
func (b *peekedBody) Close() error {
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
