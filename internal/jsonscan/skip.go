package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The functions in this file are where the time goes: a document is mostly
// what is not looked for. They take eight bytes at a time or more, with few
// branches: a branch that the processor cannot predict costs more than that.

// passInside goes over the content of the containers that have been entered,
// and returns the place after the outermost of them, or the end of the piece if
// that comes first. It counts brackets without telling one kind from the other:
// in a valid document they match.
func (s *Scanner) passInside(b []byte, i int) int {
	for s.depth > 0 && i < len(b) {
		switch {
		case s.inString:
			i = s.passString(b, i)
		case len(b)-i >= 64:
			i = s.passBlocks(b, i)
		default:
			i = s.passRest(b, i)
		}
	}
	return i
}

// passBlocks goes on outside a string, block by block. It returns the place
// after the outermost container. Before that it returns if less than a block is
// left, or inside a string that fills a block: passString is faster then.
func (s *Scanner) passBlocks(b []byte, i int) int {
	depth := s.depth
	var within, escape uint64 // all bits, if inside a string; 1, if the next byte is escaped
	if s.escaped {
		escape = 1
	}
	for ; i+64 <= len(b); i += 64 {
		c := classify((*[64]byte)(b[i : i+64]))
		if c.quotes == 0 {
			if within != 0 {
				break
			}
			if c.brackets|c.backslashes|escape == 0 {
				continue
			}
		}
		escaped := following(c.backslashes) | escape
		if escaped&c.backslashes != 0 {
			escaped = escapedBy(c.backslashes, escape)
		}
		inside := insideOf(c.quotes&^escaped) ^ within
		within, escape = last(inside), (c.backslashes&^escaped)>>63

		brackets := c.brackets &^ inside
		if brackets == 0 {
			continue
		}
		closing := brackets &^ c.opening
		opening := brackets ^ closing
		closing1, opening1 := bits.OnesCount64(closing&firstHalf), bits.OnesCount64(opening&firstHalf)
		closings, openings := bits.OnesCount64(closing), bits.OnesCount64(opening)
		if closing1 < depth && closings < depth+opening1 {
			depth += openings - closings
			continue
		}
		// The depth may come to zero in this block.
		var end int
		if depth, end = depthAfter(depth, brackets, closing); depth == 0 {
			s.depth, s.inString, s.escaped = 0, false, false
			return i + end
		}
	}
	s.depth, s.inString, s.escaped = depth, within != 0, escape != 0
	return i
}

// passRest is passBlocks for the end of a piece, where less than a block is left.
func (s *Scanner) passRest(b []byte, i int) int {
	var block [64]byte
	start := 64 - (len(b) - i)
	copy(block[start:], b[i:])
	if s.escaped {
		block[start-1], s.escaped = '\\', false
	}
	return i + s.passBlocks(block[:], 0) - start
}

// passShort goes over strings and scalars, and over keys that differ from the
// one that is looked for in their first character, to the next comma or
// bracket, or to where it takes another to go on: a long string, a backslash,
// the last bytes of a piece.
func (s *Scanner) passShort(b []byte, i int) int {
	step := &s.steps[s.level]
	var within uint64 // every bit, if the word begins in a string
	if s.inString {
		within = ^within
	}
	for i+8 <= len(b) && !s.escaped {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		quotes := ^differ(w, '"'*ones) & highs
		if quotes == 0 && within != 0 || zeros(w^'\\'*ones) != 0 {
			break
		}
		inside := insideMask(quotes, within)
		stops := (zeros(w^','*ones) | zeros((w|alike)^anyBracket)) &^ inside
		if stops == 0 {
			i += 8
			within = last(inside)
			continue
		}
		i += bits.TrailingZeros64(stops) / 8
		if s.inArray || b[i] != ',' || i+2 >= len(b) || b[i+1] != '"' || !step.beginsOtherwise(b[i+2]) {
			s.inString = false
			return i
		}
		i += 2
		within = ^uint64(0)
	}
	s.inString = within != 0
	return i
}

// passString goes on inside a string to the place after it, or to the end of
// the piece.
func (s *Scanner) passString(b []byte, i int) int {
	for s.inString && i < len(b) {
		var escape uint64 // the mask of the next byte, if a backslash escapes it
		if s.escaped {
			escape = 0x80
		}
		// Most strings are short, and a call costs more than two words do.
		for clean := 0; clean < 2 && i+8 <= len(b); i += 8 {
			w := binary.LittleEndian.Uint64(b[i : i+8])
			quotes, slashes := ^differ(w, '"'*ones)&highs, ^differ(w, '\\'*ones)&highs
			escaped := slashes<<8 | escape
			if slashes&escaped != 0 {
				break // which of them escapes which takes a closer look
			}
			if quotes &^= escaped; quotes != 0 {
				s.inString, s.escaped = false, false
				return i + bits.TrailingZeros64(quotes)/8 + 1
			}
			if clean++; slashes != 0 {
				clean = 0
			}
			escape = slashes >> 56
		}
		s.escaped = escape != 0
		i = s.passToQuote(b, i)
	}
	return i
}

// passToQuote goes on inside a string to the place after the next quote, and
// leaves the string if that quote is not escaped.
func (s *Scanner) passToQuote(b []byte, i int) int {
	if s.escaped && i < len(b) {
		s.escaped = false
		i++
	}
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 {
		s.escaped = s.escaped || backslashes(b[i:])%2 == 1
		return len(b)
	}
	s.inString = backslashes(b[i:i+n])%2 == 1
	return i + n + 1
}
