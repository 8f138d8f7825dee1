package respbody

import (
	"errors"
	"runtime"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
)

var (
	errPeekBytes = errors.New("insist: the response body is longer than MaxPeekBytes")
	errPeekTime  = errors.New("insist: the response body did not arrive within MaxPeekTime")
	errStopped   = errors.New("insist: the response body was read after its condition had returned")
)

// maxReads bounds the consecutive Reads that return neither bytes nor an error, as in
// package bufio.
const maxReads = 100

// Reader reads the body for a condition, within bounds.
type Reader struct {
	body  *Body
	limit int64         // in bytes
	left  time.Duration // how long it may still wait
	all   bool          // everything up to limit will be read
	off   int64         // the position in the body
	at    chunk.Cursor  // off's position in the buffer
	err   error         // why no more follows; nil until then
}

// Look returns a reader of the body for a condition, bounded by limit in bytes and by
// most in time. Stop must be called.
func (b *Body) Look(limit int64, most time.Duration) *Reader {
	return b.read(Reader{body: b, limit: limit, left: most})
}

// read makes r the body's current reader.
func (b *Body) read(r Reader) *Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reader = r
	return &b.reader
}

// Stop ends the look: r returns no more bytes. If a Read is still in flight, the caller's
// response gets a copy of the header: the base may use its own header in that Read (a
// cache stores the response at its end) while the caller changes the copy.
func (r *Reader) Stop() {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	r.err = errStopped
	if b.state == reading {
		b.resp.Header = b.resp.Header.Clone()
	}
}

// Rewind moves r back to the body's first byte.
func (r *Reader) Rewind() {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.off, r.at = 0, chunk.Cursor{}
	if r.err != errStopped {
		r.err = nil
	}
}

// Next returns the bytes that follow, without copying them. With it, Reader implements
// jsonscan.Source.
func (r *Reader) Next() (piece []byte, err error) {
	err = r.more(func(b *chunk.Buffer) int {
		piece = b.Next(&r.at)
		return len(piece)
	})
	return piece, err
}

func (r *Reader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = r.more(func(b *chunk.Buffer) int {
		n = b.Read(p, &r.at)
		return n
	})
	return n, err
}

// more waits until bytes follow r's position, and calls take to get them.
func (r *Reader) more(take func(*chunk.Buffer) int) error {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	for range maxReads {
		switch {
		case r.err != nil:
			return r.err
		case r.off < b.size:
			r.off += int64(take(&b.buffer))
			return nil
		case b.err != nil:
			return raise(b.err)
		case b.size >= r.limit:
			r.err = errPeekBytes
			return r.err
		case b.state == idle: // otherwise a Read started by an earlier look is in flight
			r.begin()
		}
		if !r.await() {
			r.err = errPeekTime
		}
	}
	r.err = errPeekTime // a body whose Reads keep returning nothing does not arrive
	return r.err
}

// begin starts a Read. It may still be in flight when the look ends.
func (r *Reader) begin() {
	b := r.body
	most, exact := r.limit-b.size, false
	if length := b.resp.ContentLength; length > 0 {
		if left := length - b.size; left > 0 {
			most, exact = min(most, left), r.all || b.size > 0
		} else { // only io.EOF is missing
			most = min(most, chunk.First)
		}
	}
	b.begin(most, exact)
}

// await waits, with the body unlocked, until the Read in flight has returned or the body
// has stalled. It reports whether that happened in time.
func (r *Reader) await() bool {
	b := r.body
	for range yields {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
		if b.state != reading {
			return true
		}
	}
	if r.left <= 0 {
		return false
	}
	most, idle := r.left, b.attempt.Idle
	stalls := idle > 0 && idle <= most
	if stalls {
		most = idle
	}
	landed, start := b.landing(), time.Now()
	b.mu.Unlock()
	inTime := b.attempt.Waiter.Await(landed, most)
	b.mu.Lock()
	r.left -= time.Since(start)
	if !inTime && stalls && b.state == reading && !b.attempt.Waiter.Canceled() {
		b.stall()
		return true
	}
	return inTime
}
