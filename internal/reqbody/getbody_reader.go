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
	err := b.own()
	if err != nil {
		return 0, err
	}
	n, err := r.read(p)
	if gone := b.gone(); gone != nil {
		return 0, gone
	}
	return b.take(p[:n], err)
}

// own makes b the owner of src.
func (b *getBodyReader) own() error {
	r := b.from
	for patient := true; ; {
		err := b.gone()
		if err != nil {
			return err
		}
		r.readers.move(&b.reader, reading)
		switch {
		case r.owner == b:
			return nil
		case r.busy > 0:
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

// Two readers that are sent at the same time (a mirror's) would take src from each other
// at each Read, and each time read again what they have read. So a reader that has come
// far waits while the other goes on.
const (
	cheapToSkip = 1 << 20 // bytes
	turn        = 50 * time.Millisecond
)

// waitTurn waits until the owner has read once more. It reports false if the owner has
// not done so within turn.
func (b *getBodyReader) waitTurn() bool {
	r := b.from
	changed := r.changes()
	r.mu.Unlock()
	defer r.mu.Lock()
	return wait.ForRequest(&b.of.Request).Await(changed, turn)
}

// resume has GetBody called for b, and skips what b has returned already.
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

// maxEmptyReads bounds the Reads that return nothing, not even an error.
const maxEmptyReads = 100

// fail notes an error of the caller's own making and returns what the base sees of it.
func (b *getBodyReader) fail(err error) error {
	b.from.err = err
	return &bodyError{err}
}

// take notes what a Read of src returned for b, and returns what b's Read does.
func (b *getBodyReader) take(p []byte, err error) (n int, _ error) {
	r := b.from
	n = len(p)
	if !b.continues(p, b.n) || err == io.EOF && b.n+int64(n) < r.most {
		n, err = 0, ErrNotRewound
	}
	b.n += int64(n)
	r.most = max(r.most, b.n)
	if err != nil {
		r.readers.move(&b.reader, ended)
	}
	err = r.length.check(b.n, err)
	switch {
	case err == io.EOF:
		r.length.fillTrailer(&b.reader, &r.readers)
	case err != nil && r.state == opened:
		err = b.fail(err)
	}
	if b.state == ended {
		b.release() // some bases forget to close it
	}
	return n, err
}

// continues reports whether p, read at an offset of the body, can be of the same body as
// before, as far as its start tells. A reader that GetBody has returned without
// rewinding it (imroc/req's does) gives the rest only. A new reader may start in
// another way: a multipart body has a new boundary.
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

// gone returns the error of a reader that has ended, or was closed or revoked, or nil.
func (b *getBodyReader) gone() error {
	r := b.from
	switch {
	case r.current != b.of:
		return r.length.late(b.n, r.dead)
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
	if r.owner == b && !r.isReusable() || r.phase == last && !r.readers.inUse() {
		r.close()
	}
}

func (b *getBodyReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	b.of.noteClose(&b.reader)
	if r.current != b.of || b.state == released {
		return nil
	}
	r.readers.move(&b.reader, released)
	r.changed()
	b.release()
	return nil
}
