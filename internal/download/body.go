// Package download is the body of a response that is resumed where it is truncated.
// It owns bytes, ranges and validators: it knows what has been read, what to ask for
// next, and whether a response brings that. Attempts, waits and rules are not its
// matter: it is given one function that gets the rest.
//
// It promises that what is read is the start of one representation, that io.EOF is
// the end of that, and that Close may be called at any time, from any goroutine.
package download

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Rest gets a response that p.Take has taken. If there is none, it returns the error
// that Read is to return, or nil for the one in which the body was truncated. It is
// called in Read.
type Rest func(p *Part) (*http.Response, error)

// Body is the body of a download. It consists of parts: the first response's body,
// and one more from each request for the rest.
type Body struct {
	req       *http.Request // the caller's
	rest      Rest
	ranged    bool // the first response was a range that the caller asked for
	validator head.Validator

	next   int64 // the offset of the next byte
	end    int64 // the offset behind the last byte; negative if not known
	total  int64 // the length of the representation; negative if not known
	known  int64 // how many bytes of this part come before the next one
	left   int64 // of this part, behind those; negative if its end is where it returns io.EOF
	reread int64 // bytes that have come more than once
	gained int64 // bytes that have come in this count of attempts
	enough int64 // bytes that earn a new one
	err    error // truncated, asking: in which the part ended; ended, closed: what Read returns

	mu     sync.Mutex
	state  state
	part   io.ReadCloser      // nil while there is none
	ctx    context.Context    // of the requests for the rest; nil before the first
	cancel context.CancelFunc // ends ctx
}

// state says what the next Read does. Close moves any state but ended to closed; only
// Read does the rest.
//
//	reading → truncated   the part ended before the download did
//	reading → ended       the download is complete
//	truncated → asking    the next part is asked for
//	truncated → ended     there is nothing to ask for, or the caller is gone
//	asking → reading      the next part is there
//	asking → ended        there is none
//
// A hook that panics while the next part is asked for leaves asking behind. The
// caller may recover and read on: then Read returns the error of the truncation.
type state uint8

const (
	reading state = iota
	truncated
	asking
	ended
	closed
)

// New returns a body that begins with resp's, which is the range r of what v names.
func New(req *http.Request, resp *http.Response, r head.Range, v head.Validator, rest Rest) *Body {
	return &Body{
		req: req, rest: rest, ranged: resp.StatusCode == http.StatusPartialContent, validator: v,
		next: r.First, end: r.End, total: r.Total, left: -1, part: resp.Body,
		enough: 1, // its head has been a success already
	}
}

func (b *Body) Read(p []byte) (int, error) {
	for {
		switch b.now() {
		case truncated:
			b.resume()
		case asking, ended:
			return 0, b.err
		case reading:
			n, err := b.read(p)
			if err != nil {
				err = b.endPart(err)
			}
			if n > 0 || err != nil || b.now() == reading {
				return n, err
			}
		case closed:
			return b.readClosed(p)
		}
	}
}

// now returns the state. What depends on it holds if Close is called at this moment,
// too.
func (b *Body) now() state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// read reads this part, without what is known, and nothing behind it.
func (b *Body) read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	for b.known > 0 {
		n, err := b.part.Read(p[:min(int64(len(p)), b.known)])
		b.known -= int64(n)
		b.reread += int64(n)
		if n == 0 || err != nil {
			return 0, err
		}
	}
	if b.left > 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.part.Read(p)
	b.next += int64(n)
	b.gained += int64(n)
	if b.left > 0 {
		b.left -= int64(n)
	}
	return n, err
}

// endPart says what follows from the end of this part. It returns an error if that is
// the end of the download.
func (b *Body) endPart(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	complete := err == io.EOF && b.known == 0 && (b.left < 0 || b.next == b.end)
	if err == io.EOF && !complete {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	switch {
	case b.state == closed: // by now; the part's own error says so
		return err
	case complete:
		b.endWith(err)
		return err
	}
	b.state = truncated
	return nil
}

// endWith ends the download. mu is held.
func (b *Body) endWith(err error) {
	b.err, b.state = err, ended
	if b.cancel != nil {
		b.cancel()
	}
}

// readClosed reads after Close. It is the part's matter what that brings, until there
// is an error.
func (b *Body) readClosed(p []byte) (n int, err error) {
	if b.err == nil {
		n, b.err = b.part.Read(p)
	}
	return n, b.err
}

// resume gets the next part, or ends the download.
func (b *Body) resume() {
	p := b.ask()
	if p == nil {
		return
	}
	resp, err := b.rest(p)
	b.mu.Lock()
	late := b.state == closed
	switch {
	case late:
		b.err = http.ErrBodyReadAfterClose
	case resp != nil:
		b.part, b.state, b.err = resp.Body, reading, nil
	case err != nil:
		b.endWith(err)
	default:
		b.endWith(b.err)
	}
	b.mu.Unlock()
	if late && resp != nil {
		resp.Body.Close()
	}
}

// ask closes this part and returns the next one, to be asked for, or nil if there is
// nothing left to read, or nobody to read it.
func (b *Body) ask() *Part {
	b.mu.Lock()
	if b.state == closed {
		b.mu.Unlock()
		return nil
	}
	if b.end >= 0 && b.next >= b.end || wait.ForRequest(b.req).Canceled() {
		b.endWith(b.err)
		b.mu.Unlock()
		return nil
	}
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(b.req.Context())
	}
	p := &Part{Context: b.ctx, Progress: b.gained >= b.enough, body: b}
	if b.left != 0 || !p.Progress {
		p.Err = b.err
	}
	if p.Progress {
		b.gained, b.enough = 0, progress(b.end-b.next)
	}
	last := b.part
	b.part, b.state = nil, asking
	b.mu.Unlock()
	last.Close()
	return p
}

// progress is how many bytes earn a new count of attempts where left are left: 16 KiB,
// or a sixteenth of what is left. A negative left is not known.
//
// 16 KiB is a little more than a server sends before the first acknowledgment (ten
// segments: RFC 6928). If every connection breaks at its very start, or every response
// brings a few bytes, that is no progress, and the attempts are used up, however long
// the download is. The sixteenth is for downloads that are short or nearly complete. A
// download of n bytes has at most n/16 KiB + 200 counts.
func progress(left int64) int64 {
	if left < 0 {
		return 16 << 10
	}
	return min(16<<10, (left+15)/16)
}

// Close ends the part, and a request for the next one that is in flight.
func (b *Body) Close() error {
	b.mu.Lock()
	if b.state != ended {
		b.state = closed
	}
	part, cancel := b.part, b.cancel
	b.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if part == nil {
		return nil
	}
	return part.Close()
}
