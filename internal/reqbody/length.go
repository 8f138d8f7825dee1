package reqbody

import (
	"io"
	"net/http"
)

// length holds a body to the length that its request declares, as net/http does on
// HTTP/1. A body of another length is then known to be the caller's fault, not the
// network's. length also carries the trailers, whose values the caller may set until
// the end of the body (http.Request.Trailer).
type length struct {
	declared int64 // negative if unknown
	trailer  http.Header
}

func lengthOf(req *http.Request) length {
	l := length{declared: req.ContentLength, trailer: req.Trailer}
	if l.declared == 0 { // with a body: unknown
		l.declared = -1
	}
	return l
}

// check returns err or, if after n bytes it is clear that the length is wrong, a
// *lengthError.
func (l *length) check(n int64, err error) error {
	switch {
	case l.declared < 0 || n == l.declared:
		return err
	case n > l.declared || err == io.EOF:
		return &lengthError{got: n, declared: l.declared}
	}
	return err
}

// exceeded reports whether n bytes are more than declared.
func (l *length) exceeded(n int64) bool { return l.declared >= 0 && n > l.declared }

// reached reports whether n bytes are all that is declared.
func (l *length) reached(n int64) bool { return l.declared >= 0 && n >= l.declared }

// late returns what a revoked reader returns after n bytes: the end if those were all
// that is declared, otherwise err. The server may respond before net/http has seen the
// end of the body, and an error would cost the connection.
func (l *length) late(n int64, err error) error {
	if n == l.declared {
		return io.EOF
	}
	return err
}

// fillTrailer gives the request of b, which is at its end, the trailers' values. While
// its Body is being sent net/http reads them, so a copy leaves them alone. A base may
// have taken the trailers away.
func (l *length) fillTrailer(b *reader, all *readers) {
	if b.isCopy && all.body == reading || b.of.Request.Trailer == nil {
		return
	}
	for k, v := range l.trailer {
		b.of.Request.Trailer[k] = append([]string(nil), v...)
	}
}
