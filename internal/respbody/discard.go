package respbody

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// What is read of a response that is discarded, so that its HTTP/1 connection can be
// used again. More than this costs more than a new connection.
const (
	drainBytes   = 64 << 10
	DrainAtLeast = 50 * time.Millisecond  // also where there is no wait
	DrainAtMost  = 500 * time.Millisecond // where the wait is longer
)

// Discard closes resp, after reading what little is left of it, and returns its head. A
// Read that is still in flight may write to resp itself, so that must not be used any
// more. pause is how long the next attempt will wait anyway.
func (a Attempt) Discard(resp *http.Response, pause time.Duration) *http.Response {
	if resp == nil || resp.Body == nil {
		return resp
	}
	closes, read := closesDuringRead(resp.Body), worthDraining(resp)
	if !closes && a.Cancel == nil && resp.ContentLength < 0 {
		// If it stalls, nothing of ours can end the Read. A short body of known length
		// seldom does, and is worth its connection: at worst it is closed late.
		read = false
	}
	if !read && !closeMayBlock(resp) {
		closeQuietly(resp.Body)
		return resp
	}
	d := &drain{head: *resp, body: resp.Body, done: make(chan struct{})}
	d.head.Body, d.head.Trailer = http.NoBody, resp.Trailer.Clone()
	go d.run(read)
	if a.Waiter.Await(d.done, min(max(pause, DrainAtLeast), DrainAtMost)) {
		return resp
	}
	d.late.Store(true)
	switch {
	case !read: // Close itself blocks
	case a.Cancel != nil:
		a.Cancel(nil)
	case closes && resp.Uncompressed:
		go closeQuietly(resp.Body) // see Body.endRead
	case closes:
		closeQuietly(resp.Body)
	}
	return &d.head
}

// closesDuringRead is head.ClosesDuringRead of what is read in the end.
func closesDuringRead(body io.ReadCloser) bool {
	switch b := body.(type) {
	case *Body:
		return closesDuringRead(b.src)
	case *idleBody:
		return closesDuringRead(b.src)
	case *wait.LimitedBody:
		return closesDuringRead(b.ReadCloser)
	}
	return head.ClosesDuringRead(body)
}

// worthDraining reports whether the connection waits for the body to be read. On
// HTTP/2 it does not: closing ends the stream. A stream of events has no end to wait
// for.
func worthDraining(resp *http.Response) bool {
	return !head.IsEmpty(resp) && resp.ContentLength != 0 && resp.ContentLength <= drainBytes &&
		resp.ProtoMajor < 2 && !resp.Close &&
		(resp.ContentLength > 0 || !head.IsStream(resp.Header.Get("Content-Type")))
}

// closeMayBlock reports whether Close waits for a Read of the request's body, as it
// does on HTTP/2: that Read may ignore its own Close.
func closeMayBlock(resp *http.Response) bool { return !head.IsEmpty(resp) && resp.ProtoMajor >= 2 }

// drain is a body that is read and closed on a goroutine of its own.
type drain struct {
	head http.Response // as it was before anything was read
	body io.ReadCloser
	late atomic.Bool // nobody waits any more: no further Read begins
	done chan struct{}

	empty int // Reads in a row that returned nothing, not even an error
}

func (d *drain) run(read bool) {
	defer close(d.done)
	defer closeQuietly(d.body)
	defer func() { recover() }() // a panic in Read is dropped
	if read {                    // one byte more than a body may have, to see its end
		io.CopyN(io.Discard, d, drainBytes+1)
	}
}

func (d *drain) Read(p []byte) (int, error) {
	if d.late.Load() || d.empty > maxReads {
		return 0, io.EOF
	}
	n, err := d.body.Read(p)
	if d.empty++; n > 0 {
		d.empty = 0
	}
	return n, err
}
