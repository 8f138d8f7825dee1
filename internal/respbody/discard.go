package respbody

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/memory"
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
// more. pause is how long the next attempt will wait anyway. timer is the call's.
func (a Attempt) Discard(resp *http.Response, pause time.Duration, timer *wait.Timer) *http.Response {
	if resp == nil || resp.Body == nil {
		return resp
	}
	if memory.Reader(resp.Body) != nil {
		closeQuietly(resp.Body)
		return resp // there is no connection
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
	head, done := *resp, make(chan struct{}, 1) // the head as it was before anything was read
	head.Body, head.Trailer = http.NoBody, resp.Trailer.Clone()
	go drain(resp.Body, read, done)
	if a.Waiter.AwaitBy(timer, done, min(max(pause, DrainAtLeast), DrainAtMost)) {
		return resp
	}
	select {
	case done <- struct{}{}: // no further Read begins
	default:
		return resp // it has ended just now
	}
	switch {
	case !read: // Close itself blocks
	case a.Cancel != nil:
		a.Cancel(nil)
	case closes && resp.Uncompressed:
		go closeQuietly(resp.Body) // see Body.endRead
	case closes:
		closeQuietly(resp.Body)
	}
	return kept(head)
}

// kept moves a head to the heap, which it needs only if a Read is still in flight.
func kept(head http.Response) *http.Response { return &head }

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

// drain reads body, or none of it, and closes it, on a goroutine of its own. There is
// room in done for one of two: drain has ended, or nobody waits any more.
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

// readAway reads body to its end, until late has something, or until it is longer than is
// worth it, or returns nothing, not even an error, maxReads times in a row.
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
