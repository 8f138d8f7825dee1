package respbody

import (
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/memory"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// These bound how much of a discarded response is read so that its HTTP/1 connection can
// be reused. Reading more would cost more than a new connection.
const (
	drainBytes   = 64 << 10
	DrainAtLeast = 50 * time.Millisecond  // even if the next attempt doesn't wait
	DrainAtMost  = 500 * time.Millisecond // even if the next attempt waits longer
)

// yields is how often other goroutines get a chance to run before a timer is started: most
// bodies have already arrived.
const yields = 8

// Discard closes resp and returns its head. If little of the body is left, it reads that
// first. A Read that is still in flight may write to resp itself, so resp must not be
// used afterwards; use the returned head. sent reports whether the request was sent to its
// end: otherwise its HTTP/1 connection can't be reused, so the body is not read. pause is
// how long the next attempt will wait anyway. timer is the call's.
//
// At the end of a response net/http's HTTP/1 body waits up to 50 ms for the end of the
// request, and holds a lock for which Close waits. In a bubble of testing/synctest that
// wait never ends, since time doesn't pass while a goroutine waits for a lock.
func (a Attempt) Discard(resp *http.Response, sent bool, pause time.Duration, timer *wait.Timer) *http.Response {
	if resp == nil || resp.Body == nil {
		return resp
	}
	if memory.Reader(resp.Body) != nil {
		closeQuietly(resp.Body)
		return resp // there is no connection
	}
	closes, read := closesDuringRead(resp.Body), sent && worthDraining(resp)
	if !closes && a.Cancel == nil && resp.ContentLength < 0 {
		// If the body stalls, we can't end the Read. A short body of known length rarely
		// stalls, so it is read anyway: at worst it is closed late.
		read = false
	}
	if !read && !closeMayBlock(resp) {
		closeQuietly(resp.Body)
		return resp
	}
	head, done := *resp, make(chan struct{}, 1) // the head as it is before the first Read
	head.Body, head.Trailer = http.NoBody, resp.Trailer.Clone()
	go drain(resp.Body, read, done)
	for range yields {
		runtime.Gosched()
		select {
		case <-done:
			return resp
		default:
		}
	}
	if a.Waiter.AwaitBy(timer, done, min(max(pause, DrainAtLeast), DrainAtMost)) {
		return resp
	}
	select {
	case done <- struct{}{}: // tells drain to start no further Read
	default:
		return resp // drain has just ended
	}
	switch {
	case !read: // Close itself blocks, and nothing can end that
	case a.Cancel != nil:
		a.Cancel(nil)
	case closes && resp.Uncompressed:
		go closeQuietly(resp.Body) // see Body.endRead
	case closes:
		closeQuietly(resp.Body)
	}
	return kept(head)
}

// kept moves a head to the heap. Only the case of a Read in flight pays for that.
func kept(head http.Response) *http.Response { return &head }

// closesDuringRead is head.ClosesDuringRead for the innermost body, below our wrappers.
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

// worthDraining reports whether the connection can be reused only if the body is read,
// and the body is short enough for that. On HTTP/2 Close ends the stream, and the
// connection stays usable. An event stream has no end to wait for.
func worthDraining(resp *http.Response) bool {
	return !head.IsEmpty(resp) && resp.ContentLength != 0 && resp.ContentLength <= drainBytes &&
		resp.ProtoMajor < 2 && !resp.Close &&
		(resp.ContentLength > 0 || !head.IsStream(resp.Header.Get("Content-Type")))
}

// closeMayBlock reports whether Close may wait for a Read of the request's body. HTTP/2's
// Close waits for it, and that Read may ignore the request body's Close.
func closeMayBlock(resp *http.Response) bool { return !head.IsEmpty(resp) && resp.ProtoMajor >= 2 }

// drain reads body if read is set, and closes it. It runs on its own goroutine. done has
// room for one message, from whichever comes first: drain has ended, or Discard has
// stopped waiting.
func drain(body io.ReadCloser, read bool, done chan struct{}) {
	defer func() {
		select {
		case done <- struct{}{}:
		default:
		}
	}()
	defer closeQuietly(body)
	defer func() { recover() }() // a panic in Read is dropped
	if read {
		readAway(body, done)
	}
}

var drainBuffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// readAway reads body until it ends, late holds a message, drainBytes are exceeded, or
// more than maxReads Reads in a row returned neither bytes nor an error.
func readAway(body io.Reader, late <-chan struct{}) {
	buf := drainBuffers.Get().(*[8 << 10]byte)
	// One byte more than a body may have, to see its end.
	for left, empty := drainBytes+1, 0; left > 0 && empty <= maxReads && len(late) == 0; {
		n, err := body.Read(buf[:min(left, len(buf))])
		if err != nil {
			break
		}
		left -= max(n, 0)
		if empty++; n > 0 {
			empty = 0
		}
	}
	drainBuffers.Put(buf)
}
