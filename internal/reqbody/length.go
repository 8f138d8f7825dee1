package reqbody

import (
	"io"
	"net/http"
)

// length holds a body against the request's ContentLength, as net/http does on
// HTTP/1, so that the fault is known for the caller's and not taken for the
// network's; and it carries the trailers, whose values the caller may set until
// the body's end (http.Request.Trailer).
type length struct {
	declared int64 // negative if not known
	trailer  http.Header
}

func lengthOf(req *http.Request) length {
	l := length{declared: req.ContentLength, trailer: req.Trailer}
	if l.declared == 0 { // with a body: not known
		l.declared = -1
	}
	return l
}

// check returns err, or what is wrong after n bytes.
func (l *length) check(n int64, err error) error {
	switch {
	case l.declared < 0 || n == l.declared:
		return err
	case n > l.declared || err == io.EOF:
		return &lengthError{got: n, declared: l.declared}
	}
	return err
}

func (l *length) exceeded(n int64) bool { return l.declared >= 0 && n > l.declared }

// reached reports whether n bytes are all that was declared.
func (l *length) reached(n int64) bool { return l.declared >= 0 && n >= l.declared }

// late is what a dead reader that has given n bytes gives instead of err: its end
// if that was all. The server may answer before net/http has seen that end, and
// an error would cost the connection.
func (l *length) late(n int64, err error) error {
	if n == l.declared {
		return io.EOF
	}
	return err
}

func (l *length) copyTrailer(to http.Header) {
	for k, v := range l.trailer {
		to[k] = append([]string(nil), v...)
	}
}
