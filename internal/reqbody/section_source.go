package reqbody

import (
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

// sectionSource is a file, or a section of a reader, that is read by ReadAt. So every
// reader has a position of its own, nothing is buffered, and the file's own position
// doesn't move.
type sectionSource struct {
	length length
	at     sizedReaderAt
	start  int64 // of the body, in at
	size   int64 // of the body, when the call began

	mu       sync.Mutex
	src      io.Closer // the request's body
	attempts attempts
	err      error // of the caller's reader
	used     bool  // a reader has been opened
	phase    phase
	state    closeState
}

// sizedReaderAt is an *os.File or an *io.SectionReader.
type sizedReaderAt interface {
	io.ReaderAt
	io.Seeker
}

// newSectionSource returns nil if no bytes follow at's current position: some regular
// files report a size of zero although they have content (Linux's /proc).
func newSectionSource(req *http.Request, at sizedReaderAt) stream {
	start, err := at.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	end, err := sizeOf(at)
	if err != nil || end <= start {
		return nil
	}
	return &sectionSource{length: lengthOf(req), at: at, start: start, size: end - start, src: req.Body}
}

func sizeOf(at sizedReaderAt) (int64, error) {
	switch at := at.(type) {
	case *os.File:
		info, err := at.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	case *io.SectionReader:
		return at.Size(), nil
	}
	return 0, nil
}

func (r *sectionSource) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.phase == over, isCopy && r.attempts.of(l) == nil:
		return nil, errRevoked
	case r.err != nil:
		return nil, r.err
	}
	if isCopy {
		b := &sectionReader{from: r, reader: reader{of: r.attempts.of(l), isCopy: true}}
		b.of.readers.add(&b.reader)
		return b, nil
	}
	if r.used {
		end, err := sizeOf(r.at)
		if err != nil {
			return nil, err
		}
		if end-r.start != r.size {
			return nil, errResized
		}
	}
	r.used = true
	var a struct { // one allocation
		attempt
		body sectionReader
	}
	r.attempts.begin(&a.attempt, l)
	a.body = sectionReader{from: r, reader: reader{of: &a.attempt}}
	return &a.body, nil
}

func (r *sectionSource) revoke(l *Lease, err error, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts.revoke(l, err)
}

func (r *sectionSource) canOverlap() (ever, now bool) { return true, r.failure() == nil }

func (r *sectionSource) whole() bool { return r.failure() == nil }

// sent is always true. Unlike a pipe, whose writer may wait for the response, a file can
// always be read to its end.
func (r *sectionSource) sent(*Lease) bool { return true }

func (r *sectionSource) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *sectionSource) keep() (pending bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = last
	if r.attempts.inUse() {
		return false
	}
	if r.attempts.sentAsCopy() {
		return r.state == opened
	}
	r.close()
	return false
}

func (r *sectionSource) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = over
	r.attempts.revoke(nil, errRevoked)
	r.close()
}

// close closes src once. It unlocks mu during src's Close.
func (r *sectionSource) close() {
	if r.state != opened {
		return
	}
	r.state = closed
	r.mu.Unlock()
	protect(func() { r.src.Close() }, func(panicked error) {
		r.mu.Lock()
		if panicked != nil {
			r.err = panicked
		}
	})
}

// sectionReader reads a sectionSource from its start.
type sectionReader struct {
	from *sectionSource
	reader
}

func (b *sectionReader) Read(p []byte) (n int, err error) {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := b.gone(); err != nil {
		return 0, err
	}
	b.move(reading)
	p = p[:min(int64(len(p)), r.size-b.n)]
	switch {
	case r.length.exceeded(r.size), b.n == 0 && r.length.declared > r.size:
		err = &lengthError{got: r.size, declared: r.length.declared}
	case b.n == r.size:
		err = io.EOF
	case len(p) > 0:
		n, err = r.readAt(p, b.n)
	}
	if gone := b.gone(); gone != nil {
		return 0, gone
	}
	b.n += int64(n)
	return n, b.take(err)
}

// readAt reads into p at an offset of the body. It unlocks mu during that.
func (r *sectionSource) readAt(p []byte, off int64) (n int, err error) {
	r.mu.Unlock()
	protect(func() { n, err = r.at.ReadAt(p, r.start+off) }, func(panicked error) {
		r.mu.Lock()
		switch {
		case panicked != nil:
			n, err, r.err = 0, panicked, panicked
		case n < 0 || n > len(p):
			n, err = 0, chunk.ErrBadRead
		case n > 0: // the next Read returns the error again
			err = nil
		case err == io.EOF:
			err = errResized
		}
	})
	return n, err
}

// take records the error of a Read of b, and returns the error for the base.
func (b *sectionReader) take(err error) error {
	r := b.from
	if err == nil {
		return nil
	}
	b.move(ended)
	if err == io.EOF {
		r.length.fillTrailer(&b.reader)
	} else {
		r.err, err = err, &bodyError{err}
	}
	b.release()
	return err
}

// gone returns what a Read returns if b has ended, failed, or been closed or revoked,
// otherwise nil.
func (b *sectionReader) gone() error {
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

// release closes the file if b was the last reader of the last attempt.
func (b *sectionReader) release() {
	if r := b.from; r.phase == last && !r.attempts.inUse() {
		r.close()
	}
}

func (b *sectionReader) Close() error {
	r := b.from
	r.mu.Lock()
	defer r.mu.Unlock()
	b.of.lease.noteClose(&b.reader)
	if b.of.dead == nil {
		b.move(released)
		b.release()
	}
	return nil
}
