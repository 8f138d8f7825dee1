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
	memory snapshot
	stream stream // nil: no body, or one in memory
	broken bool   // in memory and not as long as ContentLength says
}

// stream is a body that reaches the base only through readers of our own.
type stream interface {
	// open returns the body from its start. All readers from before are dead.
	open(trailer http.Header) (io.ReadCloser, error)
	// revoke ends the attempt: its reader gives err from now on.
	revoke(err error)
	// whole reports whether open can give the whole body once more.
	whole() bool
	// failure is the error of the caller's own reader, or nil.
	failure() error
	// keep lets the last reader go on: no further one will be opened.
	keep()
	// end closes what the caller gave.
	end()
}

func newBody(req *http.Request, limit int64) body {
	var b body
	switch {
	case req.Body == nil || req.Body == http.NoBody:
	case b.memory.take(req.Body):
		b.broken = req.ContentLength > 0 && req.ContentLength != b.memory.size()
	case req.GetBody != nil:
		b.stream = newRewinder(req)
	default:
		b.stream = newRecorder(req, limit)
	}
	return b
}

// fill gives the request of attempt n, a copy of the caller's, its body.
func (b *body) fill(out *http.Request, n int) (err error) {
	if b.stream == nil && n == 1 {
		return nil
	}
	trailer := out.Trailer.Clone()
	out.Trailer = trailer
	if b.stream != nil {
		stream, replays := b.stream, 0 // not b, which would move to the heap
		out.GetBody = func() (io.ReadCloser, error) {
			if replays++; replays > maxInnerReplays {
				return nil, errTooOften
			}
			return stream.open(trailer)
		}
		out.Body, err = stream.open(trailer)
		return err
	}
	if b.memory.kind != nothing {
		memory := b.memory
		out.Body = memory.open()
		out.GetBody = func() (io.ReadCloser, error) { return memory.open(), nil }
	}
	return nil
}

// maxInnerReplays bounds how often net/http sends a body again within one
// attempt. HTTP/2 does that without end where a server resets each stream
// (golang/go#52459); on a connection that turns out to be dead, once.
const maxInnerReplays = 7

// send lets base send out, whose body is ours, and sees to it that the end of
// the context ends a read of the body: on HTTP/1 net/http would wait for that
// read (golang/go#78555).
func (b *body) send(base http.RoundTripper, out *http.Request) (*http.Response, error) {
	ctx := out.Context()
	if b.stream == nil || ctx.Done() == nil {
		return base.RoundTrip(out)
	}
	stream := b.stream
	stop := context.AfterFunc(ctx, func() {
		stream.revoke(context.Cause(ctx))
		stream.end()
	})
	defer stop()
	return base.RoundTrip(out)
}

// whole reports whether another attempt could send the whole body.
func (b *body) whole() bool {
	return !b.broken && (b.stream == nil || b.stream.whole())
}

func (b *body) failure() error {
	if b.stream == nil {
		return nil
	}
	return b.stream.failure()
}

func (b *body) revoke() {
	if b.stream != nil {
		b.stream.revoke(errRevoked)
	}
}

func (b *body) keep() {
	if b.stream != nil {
		b.stream.keep()
	}
}

func (b *body) end() {
	if b.stream != nil {
		b.stream.revoke(errRevoked)
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

func (s *snapshot) open() io.ReadCloser {
	if s.kind == inText {
		r := s.text
		return io.NopCloser(&r)
	}
	r := s.bytes
	return io.NopCloser(&r)
}
