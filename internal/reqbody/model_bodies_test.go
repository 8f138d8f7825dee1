//go:build !race

package reqbody

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
)

var errOfReader = errors.New("the caller's reader failed")

// modelBody is a kind of body.
type modelBody struct {
	name     string
	give     func(x *execution, req *http.Request)
	limit    int64 // MaxReplayBytes
	known    bool  // its length is declared
	longer   int64 // by how much that is too much
	failAt   int   // the offset at which its reader fails; zero means never
	withLast bool  // io.EOF comes with the last byte
	lateData bool  // a Read in flight is not ended by Close; otherwise it returns io.EOF then
	waits    bool  // the source waits for the caller's reader, by a timer
	memory   bool  // its readers are not revoked: they share nothing
	once     bool  // it may be too long to be kept
	large    bool  // it fills a pooled chunk
}

const (
	enough = 1 << 20
	tooFew = -2 // one byte less than the body has
)

var modelBodies = []modelBody{
	{name: "in memory", give: giveMemory, memory: true, known: true},
	{name: "GetBody, new readers", give: giveNew, waits: true, known: true},
	{name: "GetBody, new readers, Close doesn't end a Read", give: giveNew, waits: true, lateData: true},
	{name: "GetBody rewinds one reader", give: giveShared, waits: true},
	{name: "GetBody rewinds one reader that seeks", give: giveSharedSeeker, waits: true, lateData: true},
	{name: "seeks", give: giveSeeker, limit: enough, waits: true, known: true},
	{name: "section", give: giveSection, limit: enough, known: true},
	{name: "read once", give: giveOnce, limit: enough},
	{name: "read once, known length", give: giveOnce, limit: enough, known: true, withLast: true},
	{name: "read once, Close doesn't end a Read", give: giveOnce, limit: enough, lateData: true},
	{name: "read once, longer than MaxReplayBytes", give: giveOnce, limit: tooFew, once: true},
	{name: "read once, and nothing is kept", give: giveOnce, limit: 0, known: true, once: true},
	{name: "read once, one attempt", give: giveOnce, limit: -1, once: true, lateData: true},
	{name: "read once, fails", give: giveOnce, limit: enough, failAt: 1},
	{name: "read once, shorter than declared", give: giveOnce, limit: enough, known: true, longer: 1},
	{name: "GetBody, fails", give: giveNew, waits: true, failAt: 1},
	{name: "read once, fills a pooled chunk", give: giveOnce, limit: enough, known: true, large: true},
}

// isWhole reports whether n bytes and io.EOF are the whole body.
func (x *execution) isWhole(n int) bool {
	return n == len(x.data) && x.kind.failAt == 0 && x.kind.longer == 0
}

// callerBody is a reader of the caller's. It returns a byte at a time, or a large piece.
type callerBody struct {
	x       *execution
	id      string
	off     *int
	opened  int // how often it was given
	closes  int
	closed  bool
	inRead  bool
	inClose bool
}

func (x *execution) newBody(off *int) *callerBody {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := &callerBody{x: x, id: string(rune('1' + len(x.bodies))), off: off, opened: 1}
	x.bodies = append(x.bodies, b)
	return b
}

func (b *callerBody) Read(p []byte) (n int, err error) {
	x := b.x
	x.woken()
	if b.inRead {
		x.fault("two Reads of the caller's reader at once")
	}
	if b.closes == b.opened {
		x.fault("a Read of the caller's reader after its Close")
	}
	b.inRead = true
	x.gate("Read " + b.id)
	b.inRead = false
	if b.closed && !x.kind.lateData {
		return 0, io.EOF
	}
	if x.kind.failAt > 0 && *b.off >= x.kind.failAt {
		return 0, errOfReader
	}
	n = copy(p[:min(len(p), x.piece)], x.data[*b.off:])
	*b.off += n
	if *b.off == len(x.data) && (n == 0 || x.kind.withLast) {
		err = io.EOF
	}
	if x.kind.large && n == len(p) {
		x.chunk = &p[0]
	}
	return n, err
}

func (b *callerBody) Close() error {
	b.x.woken()
	if b.closes++; b.closes > b.opened {
		b.x.fault("the caller's reader is closed twice")
	}
	b.closed, b.inClose = true, true
	b.x.gate("Close " + b.id)
	b.inClose = false
	return nil
}

// rewind is a GetBody that returns the same reader each time.
func (b *callerBody) rewind() {
	b.x.woken()
	if b.inRead || b.inClose {
		b.x.fault("GetBody while the caller's reader is in use")
	}
	*b.off = 0
	if b.closed {
		b.closed = false
		b.opened++
	}
}

// seekingBody is one that seeks.
type seekingBody struct{ *callerBody }

func (b seekingBody) Seek(offset int64, whence int) (int64, error) {
	b.x.woken()
	if b.inRead || b.inClose {
		b.x.fault("Seek while the caller's reader is in use")
	}
	switch whence {
	case io.SeekCurrent:
		offset += int64(*b.off)
	case io.SeekEnd:
		offset += int64(len(b.x.data))
	}
	*b.off = int(offset)
	return offset, nil
}

func giveMemory(x *execution, req *http.Request) {
	known, _ := http.NewRequest("PUT", "/", bytes.NewReader(x.data))
	req.Body, req.GetBody = known.Body, known.GetBody
}

func giveNew(x *execution, req *http.Request) {
	req.GetBody = func() (io.ReadCloser, error) { return x.newBody(new(int)), nil }
	req.Body, _ = req.GetBody()
}

func giveShared(x *execution, req *http.Request) {
	b := x.newBody(new(int))
	req.Body = b
	req.GetBody = func() (io.ReadCloser, error) { b.rewind(); return b, nil }
}

func giveSharedSeeker(x *execution, req *http.Request) {
	b := x.newBody(new(int))
	req.Body = seekingBody{b}
	req.GetBody = func() (io.ReadCloser, error) { b.rewind(); return req.Body, nil }
}

func giveSeeker(x *execution, req *http.Request) { req.Body = seekingBody{x.newBody(new(int))} }

func giveOnce(x *execution, req *http.Request) { req.Body = x.newBody(new(int)) }

func giveSection(x *execution, req *http.Request) {
	req.Body = io.NopCloser(io.NewSectionReader(slowReaderAt{x}, 0, int64(len(x.data))))
}

// slowReaderAt may be read by several readers at once.
type slowReaderAt struct{ x *execution }

func (r slowReaderAt) ReadAt(p []byte, off int64) (int, error) {
	r.x.gate("ReadAt")
	n := copy(p, r.x.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// gatedLock makes a goroutine that the source's sync.Cond has woken wait for its step
// before it locks the source again.
type gatedLock struct {
	x  *execution
	mu *sync.Mutex
}

func (l gatedLock) Lock()   { l.x.gate("woken"); l.mu.Lock() }
func (l gatedLock) Unlock() { l.mu.Unlock() }
