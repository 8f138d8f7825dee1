package insist

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
)

// body gives each attempt a request body of its own. net/http may go on reading
// an attempt's body after RoundTrip has returned, and even after it has closed
// it, so no two attempts may share a position. There are three ways:
//
//   - In memory: a copy of the reader, made before the first attempt, feeds the
//     later ones; the first attempt sends the caller's own body untouched.
//   - GetBody: a rewinder calls it when the last attempt's reader is dead, since
//     it may rewind one reader that all share.
//   - Neither: a recorder keeps what the attempts send.
type body struct {
	memory  snapshot
	stream  stream      // nil: no body, or one in memory
	trailer http.Header // as it was before anything was read: a Read may set values
	broken  bool        // in memory and not as long as ContentLength says
	once    bool        // the base is not to send it again by itself
}

// source is where the attempts' bodies come from.
type source interface {
	// open returns the body from its start, for this attempt's request, which has
	// the trailers to be filled. All readers from before are dead; but a base whose
	// attempt has been given up may ask late, and ends no later attempt's.
	open(a *attempt) (io.ReadCloser, error)
}

// stream is a body that reaches the base only through readers of our own.
type stream interface {
	source
	// revoke ends the attempt, or whichever there is if a is nil: its reader gives
	// err from now on. It may come late, when the reader is another attempt's.
	revoke(a *attempt, err error)
	// whole reports whether open can give the whole body once more.
	whole() bool
	// sent reports whether the last reader has given all there is.
	sent() bool
	// failure is the error of the caller's own reader, or nil.
	failure() error
	// keep lets the last reader go on: no further one will be opened.
	keep()
	// end closes what the caller gave. All readers are dead then, also one that was
	// being opened meanwhile.
	end()
}

// take looks at what the request has. It fills b in place: most have nothing. A
// negative limit means that there is one attempt, so that nothing is kept.
func (b *body) take(req *http.Request, limit int64) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
	case b.memory.take(req.Body):
		b.broken = req.ContentLength > 0 && req.ContentLength != b.memory.size()
	case req.GetBody != nil:
		b.stream = newRewinder(req)
	default:
		b.stream, b.once = newRecorder(req, limit), limit < 0
	}
	b.trailer = req.Trailer.Clone()
}

// fill gives the attempt's request, a copy of the caller's, its body.
func (b *body) fill(a *attempt) (err error) {
	switch {
	case b.stream != nil:
		a.source = b.stream
	case a.number > 1 && b.memory.kind != nothing:
		memory := b.memory // a copy, since b would move to the heap
		a.source = &memory
	default:
		return nil
	}
	out := &a.request
	out.Trailer = b.trailer.Clone()
	if !b.once {
		out.GetBody = a.getBody
	}
	out.Body, err = a.source.open(a)
	return err
}

// maxInnerReplays bounds how often net/http sends a body again within one
// attempt. On a connection that turns out to be dead it does so once; on HTTP/2,
// against a server that resets each stream, without end (golang/go#52459).
const maxInnerReplays = 7

func (a *attempt) getBody() (io.ReadCloser, error) {
	if a.replays.Add(1) > maxInnerReplays {
		return nil, errTooOften
	}
	return a.source.open(a)
}

// send lets base make the attempt. The end of the context ends a read of a body
// that is ours: on HTTP/1 net/http would wait for that read (golang/go#78555).
func (a *attempt) send(base http.RoundTripper) (*http.Response, error) {
	if _, ours := a.source.(stream); ours && a.request.Context().Done() != nil {
		defer context.AfterFunc(a.request.Context(), a.abort)()
	}
	return base.RoundTrip(&a.request)
}

func (a *attempt) abort() {
	s, cause := a.source.(stream), context.Cause(a.request.Context())
	if a.scope.Err() == nil { // only this attempt has ended
		s.revoke(a, cause)
		return
	}
	s.revoke(nil, cause)
	s.end()
}

// whole reports whether another attempt could send the whole body.
func (b *body) whole() bool {
	return !b.broken && (b.stream == nil || b.stream.whole())
}

func (b *body) sent() bool { return b.stream == nil || b.stream.sent() }

func (b *body) failure() error {
	if b.stream == nil {
		return nil
	}
	return b.stream.failure()
}

func (b *body) revoke() {
	if b.stream != nil {
		b.stream.revoke(nil, errRevoked)
	}
}

func (b *body) keep() {
	if b.stream != nil {
		b.stream.keep()
	}
}

func (b *body) end() {
	if b.stream != nil {
		b.stream.end()
	}
}

// snapshot is a copy of an in-memory reader, by value: taking it costs no
// allocation, and what the caller's own reader does later doesn't move it.
type snapshot struct {
	kind  memoryKind
	bytes bytes.Reader
	text  strings.Reader
}

type memoryKind uint8

const (
	nothing memoryKind = iota
	inBytes
	inText
)

// The two types that io.NopCloser returns, unexported, by which net/http too
// knows a body in memory.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(struct {
		io.Reader
		io.WriterTo
	}{}))
)

// take copies the reader in body and reports whether it could.
func (s *snapshot) take(body io.ReadCloser) bool {
	if t := reflect.TypeOf(body); t != nopCloser && t != nopCloserWriterTo {
		return false
	}
	switch r := reflect.ValueOf(body).Field(0).Interface().(type) {
	case *bytes.Reader:
		s.kind, s.bytes = inBytes, *r
	case *bytes.Buffer:
		s.kind = inBytes
		s.bytes.Reset(r.Bytes())
	case *strings.Reader:
		s.kind, s.text = inText, *r
	default:
		return false
	}
	return true
}

func (s *snapshot) size() int64 {
	if s.kind == inText {
		return int64(s.text.Len())
	}
	return int64(s.bytes.Len())
}

func (s *snapshot) open(*attempt) (io.ReadCloser, error) {
	if s.kind == inText {
		r := s.text
		return io.NopCloser(&r), nil
	}
	r := s.bytes
	return io.NopCloser(&r), nil
}
