package reqbody

import (
	"io"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// bufferedReader is one attempt's reader.
type bufferedReader struct {
	from   *bufferedSource
	of     *Lease
	off    int64        // bytes given
	at     chunk.Cursor // the same place on the buffer
	closed bool
}

func (b *bufferedReader) Read(p []byte) (n int, err error) {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if err := b.gone(); err != nil {
			return 0, err
		}
		switch {
		case len(p) == 0:
			return 0, nil
		case r.length.exceeded(r.size): // not even its last byte, lest the server take it for whole
			return 0, &bodyError{r.err}
		case b.off < r.size:
			n = r.buffer.Read(p, &b.at)
			b.off += int64(n)
			r.settle()
			return n, b.last()
		case r.err != nil:
			return 0, b.last()
		case r.pulling:
		case r.direct:
			r.over = true
			r.settle()
			n = r.read(p)
			if err := b.gone(); err != nil { // the source may say that it ends, being closed
				return 0, err
			}
			b.off = r.size
			return n, b.last()
		default:
			r.pulling = true
			go r.pull()
		}
		r.wake.Wait()
	}
}

// gone returns the error for a reader that has been closed or revoked.
func (b *bufferedReader) gone() error {
	r, err := b.from, errRevoked
	switch {
	case r.reader != b:
		err = r.dead
	case !b.closed:
		return nil
	}
	return r.length.late(b.off, err)
}

// last returns what the source ended with, once all before it has been given and
// the source is closed: RoundTrip may return next.
func (b *bufferedReader) last() error {
	r := b.from
	if b.off < r.size || r.err == nil {
		return nil
	}
	for r.close(); r.closing && b.gone() == nil; {
		r.wake.Wait()
	}
	if r.err != io.EOF {
		return &bodyError{r.err}
	}
	r.length.copyTrailer(b.of.Request.Trailer)
	return io.EOF
}

func (b *bufferedReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.closed = true; r.reader == b {
		r.settle()
		r.wake.Broadcast()
		if r.over || r.done {
			r.close()
		}
	}
	return nil
}
