package reqbody

import (
	"bytes"
	"io"
	"time"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// getBodyReader reads a getBodySource from its start.
type getBodyReader struct {
	from *getBodySource
	reader
}

func (b *getBodyReader) Read(p []byte) (int, error) {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	err := b.acquire()
	if err != nil {
		return 0, err
	}
	n, err := r.read(p)
	if gone := b.gone(); gone != nil {
		return 0, gone
	}
	return b.take(p[:n], err)
}

// acquire makes b the owner of src, positioned at b.n.
func (b *getBodyReader) acquire() error {
	r := b.from
	for patient := true; ; {
		err := b.gone()
		if err != nil {
			return err
		}
		b.move(reading)
		switch {
		case r.owner == b:
			return nil
		case r.busy > 0 || r.isTaken(b):
			changed := r.changes()
			r.mu.Unlock()
			<-changed
			r.mu.Lock()
		case patient && b.n > cheapToSkip && r.owner != nil && r.owner.state == reading:
			patient = b.waitTurn()
		case r.isStale():
			r.close()
		default:
			return b.resume()
		}
	}
}

// isTaken reports whether another attempt is in the middle of the body. b waits then: a
// new reader of GetBody may start differently, as a multipart body has a new boundary, so
// an attempt that has begun to read goes on with the reader it has.
func (r *getBodySource) isTaken(b *getBodyReader) bool {
	return r.owner != nil && r.owner.of != b.of && r.owner.state == reading
}

// If two readers are sent concurrently (by a mirror), each Read would take src from the
// other reader, which then has to skip its first n bytes again. So a reader that would
// skip more than cheapToSkip waits while the owner keeps reading.
const (
	cheapToSkip = 1 << 20 // bytes
	turn        = 50 * time.Millisecond
)

// waitTurn waits until the owner's state or a Read changes. It reports false if nothing
// changed within turn.
func (b *getBodyReader) waitTurn() bool {
	return b.from.waitIdle(wait.ForRequest(&b.of.lease.Request), turn)
}

// resume calls GetBody for b and skips the bytes that b has already returned.
func (b *getBodyReader) resume() error {
	r := b.from
	err := r.renew(b)
	if err != nil {
		return b.fail(err)
	}
	buf := make([]byte, min(b.n, 32<<10))
	for at, empty := int64(0), 0; at < b.n; {
		n, err := r.read(buf[:min(int64(len(buf)), b.n-at)])
		if gone := b.gone(); gone != nil {
			return gone
		}
		if !b.continues(buf[:n], at) {
			return b.fail(ErrNotRewound)
		}
		at += int64(n)
		switch {
		case err == io.EOF && at < b.n:
			return b.fail(ErrNotRewound)
		case err != nil && err != io.EOF:
			return b.fail(err)
		case n > 0:
			empty = 0
		case empty > maxEmptyReads:
			return b.fail(io.ErrNoProgress)
		}
		empty++
	}
	return nil
}

// maxEmptyReads bounds the consecutive Reads that return neither bytes nor an error.
const maxEmptyReads = 100

// fail records an error of the caller's reader and returns the error for the base.
func (b *getBodyReader) fail(err error) error {
	b.from.err = err
	return &bodyError{err}
}

// take records what a Read of src returned, and returns the result for b's Read.
func (b *getBodyReader) take(p []byte, err error) (n int, _ error) {
	r := b.from
	n = len(p)
	if !b.continues(p, b.n) || err == io.EOF && b.n+int64(n) < r.most {
		n, err = 0, ErrNotRewound
	}
	b.n += int64(n)
	r.most = max(r.most, b.n)
	if err != nil {
		b.move(ended)
	}
	err = r.length.check(b.n, err)
	switch {
	case err == io.EOF:
		r.length.fillTrailer(&b.reader)
	case err != nil && r.state == opened:
		err = b.fail(err)
	}
	if b.state == ended {
		b.release() // some bases never close it
	}
	return n, err
}

// continues reports whether p, read at an offset of the body, agrees with the first bytes
// of the body that were read before. They differ if GetBody returned a reader without
// rewinding it, as imroc/req's does. The check is only made for a reader that is read
// again: a new reader may start differently, as a multipart body has a new boundary.
func (b *getBodyReader) continues(p []byte, at int64) bool {
	r := b.from
	if at >= int64(len(r.head)) {
		return true
	}
	known := r.head[min(at, int64(r.known)):r.known]
	m := min(len(p), len(known))
	if b.again && !bytes.Equal(p[:m], known[:m]) {
		return false
	}
	if at+int64(m) == int64(r.known) {
		r.known += uint8(copy(r.head[r.known:], p[m:]))
	}
	return true
}

// gone returns what a Read returns if b has ended, failed, or been closed or revoked,
// otherwise nil.
func (b *getBodyReader) gone() error {
	r := b.from
	switch {
	case b.of.dead != nil:
		return r.length.late(b.n, b.of.dead)
	case b.state == released:
		return r.length.late(b.n, errRevoked)
	case r.err != nil:
		return &bodyError{r.err}
	case b.state == ended:
		return io.EOF
	}
	return nil
}

// release closes src if no reader needs it after b.
func (b *getBodyReader) release() {
	r := b.from
	if r.owner == b && !r.isReusable() || r.phase == last && !r.attempts.inUse() {
		r.close()
	}
}

func (b *getBodyReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	b.of.lease.noteClose(&b.reader)
	if b.of.dead != nil || b.state == released {
		return nil
	}
	b.move(released)
	r.changed()
	b.release()
	return nil
}
