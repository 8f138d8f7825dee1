package reqbody

import (
	"bytes"
	"io"
	"reflect"
	"strings"
)

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

func isNopCloser(body io.ReadCloser) bool {
	t := reflect.TypeOf(body)
	return t == nopCloser || t == nopCloserWriterTo
}

// take copies the reader in body and reports whether it could.
func (s *snapshot) take(body io.ReadCloser) bool {
	if !isNopCloser(body) {
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

func (s *snapshot) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	if !isCopy {
		return &memoryBody{*s, l}, nil
	}
	if s.kind == inText {
		r := s.text
		return io.NopCloser(&r), nil
	}
	r := s.bytes
	return io.NopCloser(&r), nil
}

// memoryBody is the Body of an attempt after the first.
type memoryBody struct {
	snapshot
	of *Lease
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.kind == inText {
		return b.text.Read(p)
	}
	return b.bytes.Read(p)
}

func (b *memoryBody) Close() error {
	b.of.noteClose(&reader{})
	return nil
}
