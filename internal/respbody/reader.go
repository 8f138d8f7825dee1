package respbody

import (
	"compress/gzip"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/wait"
)

var (
	errPeekBytes = errors.New("insist: the response body is longer than MaxPeekBytes")
	errPeekTime  = errors.New("insist: the response body did not arrive within MaxPeekTime")
)

// Look returns a reader of resp's body for a condition, bounded by limit in bytes and
// by most in time. From then on resp.Body gives again what the condition has read,
// and goes on from there.
func Look(w wait.Waiter, resp *http.Response, limit int64, most time.Duration) *Reader {
	body := newBody(resp, limit)
	resp.Body = body
	body.look = Reader{body: body, waiter: w, limit: limit, left: most}
	return &body.look
}

// maxReads bounds the Reads of a body that come to nothing, as in package bufio.
const maxReads = 100

// Reader is what a condition reads: the body, within bounds.
type Reader struct {
	body   *Body
	waiter wait.Waiter
	limit  int64         // in bytes
	left   time.Duration // to wait
	all    bool          // it will read all that it may
	off    int64
	at     chunk.Cursor
	err    error // why there is no more
}

// Next returns the bytes that follow, without copying them. It makes Reader a
// jsonscan.Source.
func (r *Reader) Next() (piece []byte, err error) {
	err = r.more(func(t *chunk.Buffer) int {
		piece = t.Next(&r.at)
		return len(piece)
	})
	return piece, err
}

func (r *Reader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = r.more(func(t *chunk.Buffer) int {
		n = t.Read(p, &r.at)
		return n
	})
	return n, err
}

// more has take take what there is, when there is something. A body that gives
// nothing again and again is one that does not arrive.
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
			return b.err
		case b.size >= r.limit:
			r.err = errPeekBytes
			return r.err
		case !b.pending: // by a look before
			b.begin(r.limit-b.size, r.all)
		}
		if !r.await() {
			r.err = errPeekTime
		}
	}
	r.err = errPeekTime
	return r.err
}

// await waits, with the body unlocked meanwhile, until the Read under way has
// come back, and reports whether it has in time. Most answers are there already,
// so that it makes no timer before it has let others run.
func (r *Reader) await() bool {
	b := r.body
	for range 8 {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
		if !b.pending {
			return true
		}
	}
	if r.left <= 0 {
		return false
	}
	landed, start := b.landing(), time.Now()
	b.mu.Unlock()
	defer b.mu.Lock()
	defer func() { r.left -= time.Since(start) }()
	return r.waiter.Await(landed, r.left)
}

// Rewind has the next Read start at the body's first byte.
func (r *Reader) Rewind() { r.off, r.at, r.err = 0, chunk.Cursor{}, nil }

// Stop ends the look: nothing more can be read through r.
func (r *Reader) Stop() { r.err = errPeekTime }

// Unzip returns a reader of the bytes that r's, compressed by gzip, stand for. Free
// must be called.
func (r *Reader) Unzip() *Gunzip { return &Gunzip{from: r, left: r.limit} }

// Gunzip is a body that the caller asked to be compressed, as a condition
// reads it. The bound counts on either side: a few bytes may unpack to many.
type Gunzip struct {
	from *Reader
	zip  *gzip.Reader
	left int64
}

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (g *Gunzip) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errPeekBytes
	}
	if g.zip == nil {
		zip := gzipPool.Get().(*gzip.Reader)
		if err := zip.Reset(g.from); err != nil {
			return 0, err
		}
		g.zip = zip
	}
	n, err := g.zip.Read(p[:min(int64(len(p)), g.left)])
	g.left -= int64(n)
	return n, err
}

func (g *Gunzip) Free() {
	if g.zip != nil {
		gzipPool.Put(g.zip)
	}
}
