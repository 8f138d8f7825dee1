package reqbody

import (
	"bytes"
	"io"
	"strings"

	"github.com/seed-552c89fc/insist/internal/memory"
)

// snapshot is a copy of an in-memory reader, by value. Making it allocates nothing, and
// later reads of the caller's own reader don't change it.
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

// take copies the reader inside body. It reports false if body is not in memory.
func (s *snapshot) take(body io.ReadCloser) bool {
	switch r := memory.Reader(body).(type) {
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

// memorySource is the source of one attempt that doesn't send the caller's own body. The
// source and the attempt's Body share one allocation.
type memorySource struct {
	given snapshot
	body  memoryBody
}

type memoryBody struct {
	snapshot
	of *Lease
}

func (s *memorySource) open(l *Lease, isCopy bool) (io.ReadCloser, error) {
	if !isCopy { // Fill does this once per attempt
		s.body = memoryBody{s.given, l}
		return &s.body, nil
	}
	if s.given.kind == inText {
		r := s.given.text
		return io.NopCloser(&r), nil
	}
	r := s.given.bytes
	return io.NopCloser(&r), nil
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
