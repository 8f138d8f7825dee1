package retryablehttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
)

// MaxBufferedBytes bounds what is read into memory, in bytes, of a request body
// that is an io.Reader and nothing more. A body that is no longer has a
// Content-Length, and is sent again from memory. A longer one is sent as it is
// read, in chunks, and only once; it is closed then if it has a Close method. Set
// it before the first request is made. math.MaxInt64 means no bound, as in the
// original; zero or negative means that nothing is read before it is sent.
var MaxBufferedBytes int64 = 16 << 20

var errOnce = errors.New("retryablehttp: the request body can be read only once")

// body is where a request's body comes from, once for each call.
type body struct {
	// open returns the body from its start. If nil, it can be read only once.
	open func() (io.ReadCloser, error)
	// first, if not nil, is what the first call sends.
	first io.ReadCloser
	// length is what the request says of it. Negative means that it is not known.
	length int64
	empty  bool // there is no body at all
	long   bool // it is longer than MaxBufferedBytes
}

// newBody returns the body that rawBody stands for.
func newBody(rawBody interface{}) (*body, error) {
	switch v := rawBody.(type) {
	case nil:
		b := fromBytes(nil)
		b.empty = true
		return b, nil
	case ReaderFunc:
		return fromFunc(v)
	case func() (io.Reader, error):
		return fromFunc(v)
	case []byte:
		return fromBytes(v), nil
	case *bytes.Buffer:
		if v != nil {
			return fromBytes(v.Bytes()), nil
		}
	case *bytes.Reader:
		if v != nil {
			r := *v
			return inMemory(int64(r.Len()), func() io.Reader { c := r; return &c }), nil
		}
	case *strings.Reader:
		if v != nil {
			r := *v
			return inMemory(int64(r.Len()), func() io.Reader { c := r; return &c }), nil
		}
	case io.ReadSeeker:
		return fromSeeker(v)
	case io.Reader:
		return fromReader(v)
	}
	return nil, fmt.Errorf("retryablehttp: this %T can't be a request body", rawBody)
}

// bodyOf returns the body of r, nil if there is none.
func bodyOf(r *http.Request) (*body, error) {
	length := r.ContentLength
	if length == 0 {
		length = -1
	}
	_, seeks := r.Body.(io.Seeker)
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return nil, nil
	case r.GetBody != nil:
		return &body{open: r.GetBody, first: r.Body, length: length}, nil
	case length > 0 || seeks:
		return &body{first: r.Body, length: length}, nil
	}
	stop := context.AfterFunc(r.Context(), func() { r.Body.Close() }) // ends a Read that waits
	b, err := fromReader(r.Body)
	if !stop() {
		err = context.Cause(r.Context())
	}
	if err != nil || b.open != nil { // it has been read
		r.Body.Close()
	}
	return b, err
}

func inMemory(length int64, reader func() io.Reader) *body {
	return &body{length: length, open: func() (io.ReadCloser, error) {
		if length == 0 {
			return http.NoBody, nil // else net/http takes the length for unknown
		}
		return io.NopCloser(reader()), nil
	}}
}

func fromBytes(data []byte) *body {
	return inMemory(int64(len(data)), func() io.Reader { return bytes.NewReader(data) })
}

var errNoFunc = errors.New("retryablehttp: a nil function can't be a request body")

func fromFunc(f ReaderFunc) (*body, error) {
	if f == nil {
		return nil, errNoFunc
	}
	probe, err := f()
	if err != nil {
		return nil, err
	}
	b := &body{length: lengthOf(probe), open: func() (io.ReadCloser, error) {
		r, err := f()
		if err != nil || r == nil {
			return http.NoBody, err
		}
		return closing{r}, nil
	}}
	if probe != nil {
		closing{probe}.Close()
	}
	return b, nil
}

// fromSeeker gives each reader a position of its own, so that a hook that reads
// the body, or an attempt that has been given up, moves no other one's.
func fromSeeker(s io.ReadSeeker) (*body, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return fromReader(s) // a pipe, as os.Stdin may be one
	}
	b := &body{length: lengthOf(s)}
	if at, ok := s.(io.ReaderAt); ok {
		b.open = func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(at, 0, math.MaxInt64)), nil
		}
		return b, nil
	}
	var mu sync.Mutex
	b.open = func() (io.ReadCloser, error) { return io.NopCloser(&seeking{mu: &mu, source: s}), nil }
	return b, nil
}

// seeking reads a seeker that others read, too.
type seeking struct {
	mu     *sync.Mutex
	source io.ReadSeeker
	offset int64
}

func (r *seeking) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.source.Seek(r.offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := r.source.Read(p)
	r.offset += int64(n)
	return n, err
}

// fromReader reads r into memory, unless it is longer than MaxBufferedBytes.
func fromReader(r io.Reader) (*body, error) {
	length, limit := lengthOf(r), MaxBufferedBytes
	if limit <= 0 || length > limit {
		return &body{first: closing{r}, length: length, long: limit > 0}, nil
	}
	var head bytes.Buffer
	if n, err := head.ReadFrom(io.LimitReader(r, limit)); err != nil {
		return nil, err
	} else if n < limit {
		return fromBytes(head.Bytes()), nil
	}
	switch more, err := head.ReadFrom(io.LimitReader(r, 1)); {
	case err != nil:
		return nil, err
	case more == 0:
		return fromBytes(head.Bytes()), nil
	}
	return &body{first: struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&head, r), closing{r}}, length: length, long: true}, nil
}

// lengthOf returns how much is left of r, negative if that is not known. Nothing
// left means that it is not known, since r may be one that is still to be filled.
func lengthOf(r io.Reader) int64 {
	if l, ok := r.(LenReader); ok && l.Len() > 0 {
		return int64(l.Len())
	}
	return -1
}

// closing is a body whose Close closes its reader if that can be closed.
type closing struct{ io.Reader }

func (c closing) Close() error {
	if closer, ok := c.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// start returns the body for a call.
func (b *body) start() (io.ReadCloser, error) {
	if first := b.first; first != nil {
		b.first = nil
		return first, nil
	}
	return b.reopen()
}

// reopen is the request's GetBody.
func (b *body) reopen() (io.ReadCloser, error) {
	if b.open == nil {
		return nil, errOnce
	}
	return b.open()
}

// copy returns the body from its start, and leaves one for the next call.
func (b *body) copy() (io.ReadCloser, error) {
	if b.open == nil && b.first != nil {
		defer b.first.Close()
		data, err := io.ReadAll(b.first)
		if err != nil {
			return nil, err
		}
		read := fromBytes(data)
		b.open, b.first, b.length = read.open, nil, read.length
	}
	b.first = nil // open may rewind that one
	return b.reopen()
}
