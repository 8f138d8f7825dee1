// Package reqbody gives each attempt of a call a request body of its own. net/http
// may continue to read an attempt's body after RoundTrip has returned, and even after
// it has closed the body, so no two attempts share a reader or a position. An attempt
// either sends the complete body or fails. It never sends a part of the body as if that
// were complete, nor bytes of two different bodies.
//
// Within an attempt, Request.GetBody returns a copy of the body and doesn't change Body,
// as net/http documents it: signers read the copy and send Body.
//
// There are four kinds of source:
//
//   - In memory: the first attempt sends the caller's own body; each later attempt
//     sends a copy of the reader that was made before the first attempt.
//   - GetBody: it may rewind a shared reader, so it is called only when no Read of that
//     reader is in flight.
//   - A file or another reader that seeks, without GetBody: each attempt starts at the
//     position that the reader had when the call began, and sends as many bytes as
//     followed then.
//   - Any other reader: the bytes that an attempt reads are buffered, up to a limit.
package reqbody

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Body is the request body of one call. The zero value means that there is no body.
type Body struct {
	memory snapshot
	stream stream // nil: no body, or one in memory
	length int64  // as the request declares it
	// trailer is a copy of the request's trailer from before the first Read, because a
	// Read may set values.
	trailer http.Header
	// Once means that the base must not resend the body by itself within an attempt.
	Once bool
	// Apart means that several attempts may be in flight concurrently, and may outlive
	// the call. So the first attempt, too, gets a reader of its own.
	Apart bool
	// Ended is the attempt that ended last, if others may still be in flight; else nil.
	Ended *Lease
}

// Lease is one attempt's share of the body: the request that is sent. Its Body, and the
// readers that its GetBody returns, belong to this attempt only. When the attempt is
// revoked, they return an error.
type Lease struct {
	Request http.Request
	Number  int32        // of the attempt, from 1
	asked   atomic.Int32 // the cost of the base's GetBody calls so far; see getBody
	source  source       // nil if there is no body, or the caller's own is sent
}

// source provides the attempts' bodies.
type source interface {
	// open returns the body from its start: l's Body, or a copy of it. If l has been
	// revoked, because the base of an abandoned attempt calls GetBody late, it returns an
	// error instead.
	open(l *Lease, isCopy bool) (io.ReadCloser, error)
}

// stream is a body that reaches the base only through readers of our own.
type stream interface {
	source
	// revoke revokes the readers of l, or of all attempts if l is nil: from now on they
	// return err. If l has already been revoked, it does nothing. It may wait up to grace for
	// a Read that is in flight, if the caller's reader must otherwise be closed to end it,
	// and could not be used again.
	revoke(l *Lease, err error, grace time.Duration)
	// whole reports whether another attempt could read the complete body.
	whole() bool
	// canOverlap reports whether another attempt can ever begin beside one in flight, and
	// whether it can now, each with all bytes.
	canOverlap() (ever, now bool)
	// sent reports whether the attempt of l needs no more of the caller's reader. If l is
	// nil, it is the only attempt in flight.
	sent(l *Lease) bool
	// failure returns the error of the caller's reader, or nil.
	failure() error
	// keep tells the source that no further attempt follows. The current attempt's
	// readers continue, and the caller's reader is closed with them. If pending, the base
	// may have sent a copy and may never close Body: then end must be called when the
	// response has been read.
	keep() (pending bool)
	// end revokes all readers, including any opened concurrently, and closes the
	// caller's reader.
	end()
}

// TakeMemory is Take for a body in memory, of which nothing has been read. It reports false
// if req has no such body. Take then has no effect, so that it may be called later.
func (b *Body) TakeMemory(req *http.Request) bool {
	if !b.memory.take(req.Body) {
		return false
	}
	b.length, b.trailer = req.ContentLength, req.Trailer.Clone()
	return true
}

// Take determines how req's body can be resent. limit bounds, in bytes, how much of a
// body that can be read only once is buffered. A negative limit means that there is only
// one attempt, so nothing is buffered.
func (b *Body) Take(req *http.Request, limit int64) {
	taken := b.memory.kind != nothing || b.stream != nil
	if taken || req.Body == nil || req.Body == http.NoBody || b.TakeMemory(req) {
		return
	}
	b.TakeStream(req, limit)
}

// TakeStream is Take for a body for which TakeMemory has reported false.
func (b *Body) TakeStream(req *http.Request, limit int64) {
	switch {
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

// IsStream reports whether every attempt, the first one included, sends a reader of our
// own.
func (b *Body) IsStream() bool { return b.stream != nil }

// Fill sets Body, GetBody and Trailer of l's request, which is a copy of the caller's.
func (b *Body) Fill(l *Lease) (err error) {
	switch {
	case b.stream != nil:
		l.source = b.stream
	case (l.Number > 1 || b.Apart) && b.memory.kind != nothing:
		l.source = &memorySource{given: b.memory} // a copy: a pointer would move b to the heap
	default:
		return nil
	}
	if !b.Apart && l.Number > 1 {
		b.Revoke()
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

// A base may call GetBody for any sensible number of copies. net/http also calls it to
// resend the body within an attempt: once if the connection was already closed, but on
// HTTP/2 without end if the server resets each stream (golang/go#52459). net/http closes
// Body before it resends, so after that each call costs replayCosts and only 7 are
// allowed. A base may never close Body, so copies are bounded as well.
const (
	askedAtMost = 1000 // a copy costs 1
	replayCosts = 128
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

// noteClose records that the base has closed b.
func (l *Lease) noteClose(b *reader) {
	if !b.isCopy {
		l.asked.Or(bodyClosed)
	}
}

// Send sends the attempt's request by base. If the attempt's context ends, a Read of our
// own reader returns an error at once; otherwise net/http would wait for that Read on
// HTTP/1 (golang/go#78555). caller is the context of the whole call. If a method of the
// caller's body panicked during the attempt, Send panics with the same value.
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

// A Read of the caller's reader usually returns at once. Before another attempt sends the
// body, a Read in flight is given readGrace to return. net/http may wait for it when the
// context of an attempt has ended: then it is given abortGrace.
const (
	readGrace  = 2 * time.Second
	abortGrace = 100 * time.Millisecond
)

func (l *Lease) abort(s stream, caller context.Context) {
	cause := context.Cause(l.Request.Context())
	if caller.Err() == nil { // only this attempt has ended, not the call
		s.revoke(l, cause, abortGrace)
		return
	}
	s.revoke(nil, cause, 0)
	s.end()
}

// Whole reports whether another attempt could send the complete body.
func (b *Body) Whole() bool {
	if b.stream == nil {
		return b.memory.kind == nothing || b.length <= 0 || b.length == b.memory.size()
	}
	return b.stream.whole()
}

// CanOverlap reports whether another attempt can ever begin while one is in flight, and
// whether it can now. A body that is read only once must be fully buffered first; one of
// GetBody must not be in the middle of being sent; a reader that is rewound can't be sent
// twice at the same time at all.
func (b *Body) CanOverlap() (ever, now bool) {
	if b.stream == nil {
		return true, true
	}
	return b.stream.canOverlap()
}

// Sent reports whether the attempt that ended last needs no more of the caller's body.
func (b *Body) Sent() bool { return b.stream == nil || b.stream.sent(b.Ended) }

// Failure returns the error of the caller's reader, or nil.
func (b *Body) Failure() error {
	if b.stream == nil {
		return nil
	}
	return b.stream.failure()
}

// Revoke revokes the readers of all attempts. Call it before the response is discarded:
// net/http may wait for a Read.
func (b *Body) Revoke() {
	if b.stream != nil {
		b.stream.revoke(nil, errRevoked, readGrace)
	}
}

// RevokeLease revokes the readers of one attempt, while others may be in flight.
func (b *Body) RevokeLease(l *Lease) {
	if b.stream != nil {
		b.stream.revoke(l, errRevoked, 0)
	}
}

// Keep tells b that no further attempt follows. The latest attempt's readers continue,
// and the caller's body is closed with them. If the base may have sent a copy without
// ever reading or closing Body, as icholy/digest does, Keep returns a function that
// closes the caller's body: call it when the response has been read. Otherwise Keep
// returns nil.
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

// EndWith arranges that end is called when resp's body ends, fails or is closed. If resp
// has no body, or is a 101, it calls end at once. end may be called more than once.
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
