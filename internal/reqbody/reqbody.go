// Package reqbody gives each attempt of a call a request body of its own. net/http
// may go on reading an attempt's body after RoundTrip has returned, and even after it
// has closed it, so no two attempts share a reader or a position. What an attempt
// sends is the whole body or ends in an error, never a part of it or a mixture.
//
// There are three sources:
//
//   - In memory: a copy of the reader, made before the first attempt, feeds the
//     later ones; the first attempt sends the caller's own body untouched.
//   - GetBody: it is called when the last attempt's reader has been revoked, since it
//     may rewind one reader that all share.
//   - Neither: what the attempts send is buffered, up to a limit.
package reqbody

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// Body is the request body of one call. The zero value is none.
type Body struct {
	memory snapshot
	stream stream // nil: no body, or one in memory
	length int64  // as the request declares it
	// trailer is the request's as it was before anything was read: a Read may set
	// values.
	trailer http.Header
	// Once means that the base must not send the body again by itself.
	Once bool
}

// Lease is what one attempt holds of the body: the request that is sent, whose Body
// and GetBody are readers of its own, until it is revoked.
type Lease struct {
	Request http.Request
	Number  int32        // of the attempt, from 1
	replays atomic.Int32 // of the body, by the base
	source  source       // nil if the body is the caller's own, or none
}

// source is where the attempts' bodies come from.
type source interface {
	// open returns the body from its start. Its reader fills the trailers of l's
	// request. Readers of earlier attempts are revoked; but a base whose attempt has
	// been given up may ask late, which revokes no later attempt's.
	open(l *Lease) (io.ReadCloser, error)
}

// stream is a body that reaches the base only through readers of our own.
type stream interface {
	source
	// revoke ends the attempt, or the current one if l is nil: its reader returns err
	// from now on. It may come late, when the reader is another attempt's.
	revoke(l *Lease, err error)
	// whole reports whether open can return the whole body once more.
	whole() bool
	// sent reports whether the current reader has returned everything.
	sent() bool
	// failure is the error of the caller's own reader, or nil.
	failure() error
	// keep lets the current reader go on: no further one will be opened.
	keep()
	// end closes what the caller gave. All readers are revoked then, also one that is
	// being opened concurrently.
	end()
}

// Take looks at req's body. A negative limit means that there is only one attempt, so
// that nothing is kept; otherwise it bounds, in bytes, what is kept of a body that
// can be read only once.
func (b *Body) Take(req *http.Request, limit int64) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
	case b.memory.take(req.Body):
		b.length = req.ContentLength
	case req.GetBody != nil:
		b.stream = newGetBodySource(req)
	default:
		b.stream, b.Once = newBufferedSource(req, limit), limit < 0
	}
	b.trailer = req.Trailer.Clone()
}

// IsStream reports whether the attempts' bodies are readers of our own, the first
// one's included.
func (b *Body) IsStream() bool { return b.stream != nil }

// Fill gives the attempt's request, a copy of the caller's, its body.
func (b *Body) Fill(l *Lease) (err error) {
	switch {
	case b.stream != nil:
		l.source = b.stream
	case l.Number > 1 && b.memory.kind != nothing:
		memory := b.memory // a copy, since b would move to the heap
		l.source = &memory
	default:
		return nil
	}
	out := &l.Request
	out.Trailer = b.trailer.Clone()
	if !b.Once {
		out.GetBody = l.getBody
	}
	out.Body, err = l.source.open(l)
	return err
}

// maxInnerReplays bounds how often net/http sends a body again within one
// attempt. On a connection that turns out to be dead it does so once; on HTTP/2,
// against a server that resets each stream, without end (golang/go#52459).
const maxInnerReplays = 7

func (l *Lease) getBody() (io.ReadCloser, error) {
	if l.replays.Add(1) > maxInnerReplays {
		return nil, errTooOften
	}
	return l.source.open(l)
}

// Send lets base make the attempt. The end of the attempt's context ends a Read of a
// body that is ours: on HTTP/1 net/http would wait for that Read (golang/go#78555).
// caller is the context of the call, beyond the attempt.
func (l *Lease) Send(base http.RoundTripper, caller context.Context) (*http.Response, error) {
	if s, ours := l.source.(stream); ours && l.Request.Context().Done() != nil {
		defer context.AfterFunc(l.Request.Context(), func() { l.abort(s, caller) })()
	}
	return base.RoundTrip(&l.Request)
}

func (l *Lease) abort(s stream, caller context.Context) {
	cause := context.Cause(l.Request.Context())
	if caller.Err() == nil { // only this attempt has ended
		s.revoke(l, cause)
		return
	}
	s.revoke(nil, cause)
	s.end()
}

// Whole reports whether another attempt could send the whole body.
func (b *Body) Whole() bool {
	if b.stream == nil {
		return b.memory.kind == nothing || b.length <= 0 || b.length == b.memory.size()
	}
	return b.stream.whole()
}

// Sent reports whether the last attempt has been given the whole body.
func (b *Body) Sent() bool { return b.stream == nil || b.stream.sent() }

// Failure returns the error of the caller's own reader, or nil.
func (b *Body) Failure() error {
	if b.stream == nil {
		return nil
	}
	return b.stream.failure()
}

// Revoke ends the last attempt's reader, because there will be another attempt.
func (b *Body) Revoke() {
	if b.stream != nil {
		b.stream.revoke(nil, errRevoked)
	}
}

// Keep lets the last attempt's reader go on to the end, since no further attempt
// will be made. The caller's body is closed with it.
func (b *Body) Keep() {
	if b.stream != nil {
		b.stream.keep()
	}
}

// End revokes all readers and closes the caller's body.
func (b *Body) End() {
	if b.stream != nil {
		b.stream.end()
	}
}
