package reqbody

import (
	"bytes"
	"io"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// getBodyReader is one attempt's reader.
type getBodyReader struct {
	from   *getBodySource
	of     *Lease
	n      int64
	again  bool // the source is the last attempt's, which GetBody must have getBodyReader
	ended  bool // the source has
	closed bool
}

func (b *getBodyReader) Read(p []byte) (n int, err error) {
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
	if !b.repeats(p[:n], err) {
		n, err = 0, ErrNotRewound
	}
	b.n += int64(n)
	b.ended = b.ended || err != nil
	if err = r.length.check(b.n, err); err == io.EOF {
		r.length.copyTrailer(b.of.Request.Trailer)
	} else if err != nil && !r.closed {
		r.err, err = err, &bodyError{err}
	}
	if b.ended && !r.reusable() { // some bases forget
		r.close()
	}
	return n, err
}

// repeats reports whether this attempt's body is, as far as one can tell, the one
// that attempts before it had. A reader that GetBody has returned without rewinding
// it (imroc/req's does) gives the rest only; no body is shorter than what was sent of
// it before. A new reader may start in another way.
func (b *getBodyReader) repeats(p []byte, err error) bool {
	r := b.from
	if b.n < int64(len(r.head)) {
		known := r.head[b.n:max(b.n, min(r.most, int64(len(r.head))))]
		if m := min(len(p), len(known)); b.again && !bytes.Equal(p[:m], known[:m]) {
			return false
		}
		copy(r.head[b.n:], p)
	}
	n := b.n + int64(len(p))
	if err == io.EOF && n < r.most {
		return false
	}
	r.most = max(r.most, n)
	return true
}

// read is src.Read, with mu unlocked for as long as it takes.
func (r *getBodySource) read(p []byte) (int, error) {
	src := r.src
	r.begin()
	defer r.ended()
	n, err := src.Read(p)
	if n < 0 || n > len(p) {
		return 0, chunk.ErrBadRead
	}
	return n, err
}

// gone returns the error for a reader that has ended, or been closed or revoked.
func (b *getBodyReader) gone() error {
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

func (b *getBodyReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.reader == b && !b.closed
	b.closed = true
	if mine && !r.reusable() {
		r.close()
	}
	return nil
}
