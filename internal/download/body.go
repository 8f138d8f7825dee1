// Package download provides the body of a response that resumes after it was truncated.
// It owns bytes, ranges and validators: it knows which bytes have been read, which to
// request next, and whether a response contains them. It knows nothing of attempts, waits
// and rules: the caller supplies one function that gets the rest.
//
// It promises:
//
//   - The bytes read belong to one version of the representation, in order and without a
//     gap.
//   - io.EOF is returned only at the end of that version, or of the range of it that the
//     caller requested. If the rest can't be had, Read returns the error by which a part
//     was truncated, or an error of Rest.
//   - Close may be called at any time, from any goroutine. It ends a request in flight.
package download

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// Rest requests p until p.Accept accepts a response, and returns that response. If it
// returns no response but an error, Read returns that error. If it returns neither, Read
// returns the error by which the part before was truncated. Rest is called during Read.
type Rest func(p *Part) (*http.Response, error)

// Body is the body of a download. It consists of parts: the body of the first
// response, and that of each response to a request for the rest.
type Body struct {
	req       *http.Request // the caller's
	rest      Rest
	ranged    bool // the first response was a range that the caller requested
	validator head.Validator

	next   int64 // the offset of the next byte
	end    int64 // the offset behind the last byte; negative if not known
	total  int64 // the length of the representation; negative if not known
	skip   int64 // how many more bytes of this part to skip, because they were read before
	left   int64 // how many bytes follow after that; negative if the part ends at its io.EOF
	gained int64 // bytes received since the count of attempts was last reset
	enough int64 // how many such bytes reset the count
	err    error // truncated, requesting: how the part ended; ended, closed: what Read returns

	skipped int64 // bytes skipped in all parts

	mu     sync.Mutex
	state  state
	part   io.ReadCloser      // nil while there is none
	ctx    context.Context    // of the requests for the rest; nil before the first
	cancel context.CancelFunc // ends ctx
}

// state says what the next Read does. Close changes any state but ended to closed, on
// any goroutine. All other transitions are Read's:
//
//	reading → truncated      the part ended before the download did
//	reading → ended          the download is complete
//	truncated → requesting   the next part is requested
//	truncated → ended        nothing is left to request, or the caller has given up
//	requesting → reading     a response was accepted
//	requesting → ended       no response was accepted
//
// If a hook panics in Rest, the state remains requesting. A caller that recovers and
// reads on gets the error in which the part was truncated.
type state uint8

const (
	reading state = iota
	truncated
	requesting
	ended
	closed
)

// New returns a body that begins with resp's body. r is the range of bytes that this is,
// and v identifies their version.
func New(req *http.Request, resp *http.Response, r head.Range, v head.Validator, rest Rest) *Body {
	return &Body{
		req: req, rest: rest, ranged: resp.StatusCode == http.StatusPartialContent, validator: v,
		next: r.First, end: r.End, total: r.Total, left: -1, part: resp.Body,
		enough: 1, // the first response is a success already
	}
}

func (b *Body) Read(p []byte) (int, error) {
	for {
		switch b.current() {
		case truncated:
			b.resume()
		case requesting, ended:
			return 0, b.err
		case reading:
			n, err := b.read(p)
			if err != nil {
				err = b.endPart(err)
			}
			if n > 0 || err != nil || b.current() == reading {
				return n, err
			}
		case closed:
			return b.readClosed(p)
		}
	}
}

// current returns the state. Close may change it at any time afterwards.
func (b *Body) current() state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// read reads this part. It skips bytes that were read before, and stops at the end of the
// part's range.
func (b *Body) read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	for b.skip > 0 {
		n, err := b.part.Read(p[:min(int64(len(p)), b.skip)])
		b.skip -= int64(n)
		b.skipped += int64(n)
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

// endPart changes the state after this part ended with err. If the download has ended as
// well, it returns the error for Read; otherwise nil.
func (b *Body) endPart(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	complete := err == io.EOF && b.skip == 0 && (b.left < 0 || b.next == b.end)
	if err == io.EOF && !complete {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	switch {
	case b.state == closed: // Close ended the Read
		return err
	case complete:
		b.endWith(err)
		return err
	}
	b.state = truncated
	return nil
}

// endWith ends the download. The caller holds mu.
func (b *Body) endWith(err error) {
	b.err, b.state = err, ended
	if b.cancel != nil {
		b.cancel()
	}
}

// readClosed reads after Close. It returns what the part's Read returns; after the first
// error it returns that error again.
func (b *Body) readClosed(p []byte) (n int, err error) {
	if b.err == nil {
		n, b.err = b.part.Read(p)
	}
	return n, b.err
}

// resume gets the next part, or ends the download.
func (b *Body) resume() {
	p := b.nextPart()
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

// nextPart closes this part and returns the next one, which is to be requested. If nothing
// is left to request, or the caller has given up, it returns nil.
func (b *Body) nextPart() *Part {
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
	b.part, b.state = nil, requesting
	b.mu.Unlock()
	last.Close()
	return p
}

// progress returns how many bytes must arrive to reset the count of attempts, when left
// bytes are left: a sixteenth of them, but at most 16 KiB. A negative left is unknown.
//
// 16 KiB is a little more than a server sends before the first acknowledgment (ten
// segments: RFC 6928). If every connection breaks right at its start, or every response
// contains only a few bytes, that doesn't count as progress: the attempts are used up,
// however long the download is. The sixteenth is for downloads that are short or nearly
// complete. A download of n bytes resets the count at most n/16 KiB + 200 times.
func progress(left int64) int64 {
	const most = 16 << 10
	if left < 0 || left >= 16*most {
		return most
	}
	return (left + 15) / 16
}

// Close closes the part, and ends a request for the next one that is in flight.
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
