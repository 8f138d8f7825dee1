// Package reqbody gives each attempt of a call a request body of its own. net/http
// may go on reading an attempt's body after RoundTrip has returned, and even after it
// has closed it, so no two attempts share a reader or a position. What an attempt
// sends is the whole body or ends in an error, never a part of it or a mixture.
//
// Within an attempt, Request.GetBody returns a copy of the body and leaves Body alone,
// as net/http documents it: signers read the one and send the other.
//
// There are four kinds of source:
//
//   - In memory: a copy of the reader, made before the first attempt, feeds the
//     later ones; the first attempt sends the caller's own body untouched.
//   - GetBody: since it may rewind one reader that all share, it is called only while
//     nobody reads.
//   - A file or another reader that seeks, without GetBody: it is sent from where it
//     stood when the call began, and as long as it was then.
//   - None of these: what the attempts send is buffered, up to a limit.
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
	// Apart means that several attempts are in flight at the same time, and may go on
	// after the call: the first one has a reader of its own, too.
	Apart bool
}

// Lease is what one attempt holds of the body: the request that is sent, whose Body
// and GetBody are readers of its own, until it is revoked.
type Lease struct {
	Request http.Request
	Number  int32        // of the attempt, from 1
	asked   atomic.Int32 // how often the base has asked for the body; see getBody
	source  source       // nil if the body is the caller's own, or none
}

// source is where the attempts' bodies come from.
type source interface {
	// open returns the body from its start: l's Body, or a copy of it. Readers of
	// earlier attempts are revoked. But a base whose attempt has been given up may ask
	// late, which revokes no later attempt's.
	open(l *Lease, isCopy bool) (io.ReadCloser, error)
}

// stream is a body that reaches the base only through readers of our own.
type stream interface {
	source
	// revoke revokes the readers of l, or of the current attempt if l is nil: they
	// return err from now on. It may come late, when another attempt is current.
	revoke(l *Lease, err error)
	// whole reports whether another attempt could read the whole body.
	whole() bool
	// sent reports whether the current attempt needs nothing more of the caller's.
	sent() bool
	// failure returns the error of the caller's own reader, or nil.
	failure() error
	// keep lets the current attempt go on to the end: there will be no further one. The
	// caller's reader is closed with the attempt's. It reports whether end has to be
	// called when the response has been read, since Body may have been forgotten.
	keep() (pending bool)
	// end revokes all readers, also one that is being opened concurrently, and closes
	// the caller's.
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
	case limit < 0:
		b.stream, b.Once = newBufferedSource(req, limit), true
	default:
		b.stream = newSeekingSource(req)
		if b.stream == nil {
			b.stream = newBufferedSource(req, limit)
		}
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
	case (l.Number > 1 || b.Apart) && b.memory.kind != nothing:
		l.source = &memorySource{given: b.memory} // a copy, since b would move to the heap
	default:
		return nil
	}
	out := &l.Request
	out.Trailer = b.trailer.Clone()
	if !b.Once {
		out.GetBody = l.getBody
	}
	out.Body, err = l.source.open(l, false)
	throw(err)
	return err
}

// A base may ask for any sensible number of copies. But net/http, too, asks when it
// sends the body again within an attempt: once if a connection turns out to be dead,
// but on HTTP/2 without end, if the server resets each stream (golang/go#52459). It
// closes Body first, so from then on few are enough. A base may forget to close Body,
// so that copies are bounded, too.
const (
	askedAtMost = 1000 // in the unit of a copy
	replayCosts = 128  // so there can be 7
	bodyClosed  = 1 << 30
)

func (l *Lease) getBody() (io.ReadCloser, error) {
	cost := int32(1)
	if l.asked.Load()&bodyClosed != 0 {
		cost = replayCosts
	}
	if l.asked.Add(cost)&^bodyClosed > askedAtMost {
		return nil, errTooOften
	}
	return l.source.open(l, true)
}

// noteClose notes that the base has closed b.
func (l *Lease) noteClose(b *reader) {
	if !b.isCopy {
		l.asked.Or(bodyClosed)
	}
}

// Send lets base make the attempt. The end of the attempt's context ends a Read of a
// body that is ours: on HTTP/1 net/http would wait for that Read (golang/go#78555).
// caller is the context of the call, beyond the attempt. Send panics with what a
// method of the caller's body panicked with meanwhile.
func (l *Lease) Send(base http.RoundTripper, caller context.Context) (*http.Response, error) {
	s, ours := l.source.(stream)
	if !ours {
		return base.RoundTrip(&l.Request)
	}
	if l.Request.Context().Done() != nil {
		defer context.AfterFunc(l.Request.Context(), func() { l.abort(s, caller) })()
	}
	resp, err := base.RoundTrip(&l.Request)
	if panicked, ok := s.failure().(*thrown); ok {
		if resp != nil && resp.Body != nil {
			defer resp.Body.Close()
		}
		throw(panicked)
	}
	return resp, err
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

// Sent reports whether the last attempt needs nothing more of the caller's.
func (b *Body) Sent() bool { return b.stream == nil || b.stream.sent() }

// Failure returns the error of the caller's own reader, or nil.
func (b *Body) Failure() error {
	if b.stream == nil {
		return nil
	}
	return b.stream.failure()
}

// Revoke revokes the last attempt's readers, because there will be another attempt.
func (b *Body) Revoke() {
	if b.stream != nil {
		b.stream.revoke(nil, errRevoked)
	}
}

// Keep lets the last attempt's readers go on to the end, since no further attempt will
// be made. The caller's body is closed with them. But a base may send a copy, and never
// read nor close Body (icholy/digest). Then Keep returns what closes the caller's body,
// which is to be called when the response has been read; otherwise nil.
func (b *Body) Keep() (end func()) {
	if b.stream == nil {
		return nil
	}
	pending := b.stream.keep()
	throw(b.stream.failure())
	if !pending {
		return nil
	}
	return b.stream.end
}

// End revokes all readers and closes the caller's body.
func (b *Body) End() {
	if b.stream != nil {
		b.stream.end()
		throw(b.stream.failure())
	}
}

// EndWith has end called at the end of resp's body, or when that is closed. end may be
// called more than once.
func EndWith(resp *http.Response, end func()) {
	if resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		end()
		return
	}
	resp.Body = &endingBody{resp.Body, end}
}

type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
