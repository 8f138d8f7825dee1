package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The functions in this file are where the time goes: a document is mostly
// what is not looked for. They read eight bytes at a time, or leave it to
// bytes.IndexByte, which reads more, and look at a single byte only where one
// of them matters.

// passInside goes over the string or the containers that have been entered,
// and returns the place after them, or the end of the piece if that comes
// first. It counts brackets without telling one kind from the other: in a
// valid document they match.
func (s *Scanner) passInside(b []byte, i int) int {
	if s.inString {
		end, closed := s.stringEnd(b, i)
		if !closed {
			return end
		}
		i, s.inString = end, false
	}
	depth := s.depth
	for depth > 0 && i < len(b) {
		if len(b)-i >= 8 {
			m := quoteOrBracket(binary.LittleEndian.Uint64(b[i:]))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		}
		switch b[i] {
		case '"':
			end, closed := s.stringEnd(b, i+1)
			if !closed {
				s.depth, s.inString = depth, true
				return end
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
	}
	s.depth = depth
	return i
}

// stringEnd returns the place after the quote that closes the string whose
// inside goes on at i, and true; or the end of the piece, and false.
func (s *Scanner) stringEnd(b []byte, i int) (int, bool) {
	if s.escaped && i < len(b) {
		s.escaped = false
		i++
	}
	// Most strings are short, and a call costs more than two words do.
	for range 2 {
		if len(b)-i < 8 {
			break
		}
		m := quoteOrBackslash(binary.LittleEndian.Uint64(b[i:]))
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if b[i] == '"' {
			return i + 1, true
		}
		break
	}
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			s.escaped = backslashes(b[i:])%2 == 1
			return len(b), false
		}
		end := i + n + 1
		if backslashes(b[i:i+n])%2 == 0 {
			return end, true
		}
		i = end
	}
}

// backslashes counts those at the end of b.
func backslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeros sets the high bit of each byte of w that is zero. Bytes above the
// lowest such one may be marked by mistake, the lowest never is.
func zeros(w uint64) uint64 { return (w - ones) &^ w & highs }

// quoteOrBackslash marks, as zeros does, the bytes that are " or \.
func quoteOrBackslash(w uint64) uint64 {
	return zeros(w^'"'*ones) | zeros(w^'\\'*ones)
}

// quoteOrBracket marks, as zeros does, the bytes that are ", [, ], { or }.
// The brackets are alike but for the bits in 0x26; the letters Y, y, _ and
// DEL, which share the rest, do not occur in JSON outside of strings.
func quoteOrBracket(w uint64) uint64 {
	return zeros(w^'"'*ones) | zeros((w|0x26*ones)^0x7f*ones)
}
