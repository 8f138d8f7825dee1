package reqbody

import (
	"bytes"
	"io"
	"strings"

	"github.com/seed-552c89fc/insist/internal/memory"
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

// take copies the reader in body and reports whether it could.
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
