package reqbody

import (
	"io"
	"net/http"
)

// length checks a body against the length that its request declares, as net/http does on
// HTTP/1. If they differ, the error is the caller's, not the network's. length also
// carries the trailers: the caller may set their values until the end of the body
// (http.Request.Trailer).
type length struct {
	declared int64 // negative if unknown
	trailer  http.Header
}

func lengthOf(req *http.Request) length {
	l := length{declared: req.ContentLength, trailer: req.Trailer}
	if l.declared == 0 { // with a body, zero means unknown
		l.declared = -1
	}
	return l
}

// check returns a *lengthError if the first n bytes, and err after them, prove that the
// declared length is wrong; otherwise it returns err.
func (l *length) check(n int64, err error) error {
	switch {
	case l.declared < 0 || n == l.declared:
		return err
	case n > l.declared || err == io.EOF:
		return &lengthError{got: n, declared: l.declared}
	}
	return err
}

// exceeded reports whether n bytes are more than the declared length.
func (l *length) exceeded(n int64) bool { return l.declared >= 0 && n > l.declared }

// reached reports whether n bytes are at least the declared length.
func (l *length) reached(n int64) bool { return l.declared >= 0 && n >= l.declared }

// late returns what a revoked reader returns after n bytes: io.EOF if n is the declared
// length, otherwise err. If the server responds before net/http has read the end of a
// complete body, an error instead of io.EOF would cost the connection.
func (l *length) late(n int64, err error) error {
	if n == l.declared {
		return io.EOF
	}
	return err
}

// fillTrailer copies the trailers' values into b's request when b has reached its end. If
// b is a copy and Body is being sent, it does nothing: net/http may be reading the
// trailers. A base may have removed them; then there is nothing to fill.
func (l *length) fillTrailer(b *reader) {
	trailer := b.of.lease.Request.Trailer
	if b.isCopy && b.of.readers.body == reading || trailer == nil {
		return
	}
	for k, v := range l.trailer {
		trailer[k] = append([]string(nil), v...)
	}
}
