package reqbody

import (
	"io"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// bufferedReader reads a bufferedSource from its start.
type bufferedReader struct {
	from *bufferedSource
	reader
	at chunk.Cursor // the position of n in the buffer
}

func (b *bufferedReader) Read(p []byte) (n int, err error) {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		err := b.gone()
		if err != nil || len(p) == 0 {
			return 0, err
		}
		b.move(reading)
		switch {
		case r.mode == claimed && b.n < r.size:
			return 0, errNotBuffered
		case r.length.exceeded(r.size): // send nothing: the server could accept the declared length as the whole body
			b.closeSource()
			return 0, &bodyError{r.err}
		case b.n < r.size:
			n = r.buffer.Read(p, &b.at)
			b.n += int64(n)
			return n, b.end()
		case r.err != nil:
			return 0, b.end()
		case r.pulling:
		case r.state != opened: // a closed source may return io.EOF too early
			return 0, errRevoked
		case r.keeps():
			r.startPull()
		case b.isCopy && r.attempts.reading() > 1: // another reader is being sent, so it gets the source
			return 0, errNotBuffered
		default:
			return b.readSource(p)
		}
		r.wake.Wait()
	}
}

// readSource claims the source: from now on b is its only reader.
func (b *bufferedReader) readSource(p []byte) (int, error) {
	r := b.from
	r.mode = claimed
	r.free()
	n := r.read(p)
	if err := b.gone(); err != nil { // a closed source may return io.EOF too early
		return 0, err
	}
	b.n = r.size
	return n, b.end()
}

// gone returns what a Read returns if b has been closed or revoked, otherwise nil.
func (b *bufferedReader) gone() error {
	r := b.from
	switch {
	case b.of.dead != nil:
		return r.length.late(b.n, b.of.dead)
	case b.state == released:
		return r.length.late(b.n, errRevoked)
	}
	return nil
}

// closeSource closes the source and waits until that is done, or b is closed or revoked.
// After b has returned the end, RoundTrip may return.
func (b *bufferedReader) closeSource() {
	r := b.from
	r.close()
	for r.state == closing && b.gone() == nil {
		r.wake.Wait()
	}
}

// end returns nil until b has returned every byte before the source's end. Then it
// closes the source, waits for that Close, and returns the source's final error.
func (b *bufferedReader) end() error {
	r := b.from
	if b.n < r.size || r.err == nil {
		return nil
	}
	b.closeSource()
	if b.gone() == nil {
		b.move(ended)
		r.free()
	}
	if r.err != io.EOF {
		return &bodyError{r.err}
	}
	r.length.fillTrailer(&b.reader)
	return io.EOF
}

func (b *bufferedReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	b.of.lease.noteClose(&b.reader)
	if b.of.dead != nil {
		return nil
	}
	b.move(released)
	r.free()
	r.wake.Broadcast()
	isLast := r.mode == claimed && b.n == r.size
	if isLast || !r.attempts.inUse() && (r.phase == last || r.mode >= spent) {
		r.close()
	}
	return nil
}
