package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Nearly all of the time is spent in this file, since most of a document is
// skipped. The methods take eight bytes or more at a time, and branch little: a
// branch that the processor cannot predict costs more than several words.

// skipInside skips the content of the containers that are open, and returns the
// offset after the outermost one, or len(b) if that has not ended. It counts
// brackets regardless of their kind, since in a valid document they match.
func (s *Scanner) skipInside(b []byte, i int) int {
	for s.depth > 0 && i < len(b) {
		switch {
		case s.inString:
			i = s.skipString(b, i)
		case len(b)-i >= 64:
			i = s.skipBlocks(b, i)
		default:
			i = s.skipRest(b, i)
		}
	}
	return i
}

// skipBlocks is skipInside, block by block, from outside a string. It also
// returns if less than a block is left, and before a block that is entirely
// inside a string, which skipString does faster.
func (s *Scanner) skipBlocks(b []byte, i int) int {
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
		inside := insideBlock(c.quotes&^escaped) ^ within
		within, escape = spread(inside), (c.backslashes&^escaped)>>63

		brackets := c.brackets &^ inside
		if brackets == 0 {
			continue
		}
		closing := brackets &^ c.opening
		opening := brackets ^ closing
		closing1, opening1 := bits.OnesCount64(closing&firstHalf), bits.OnesCount64(opening&firstHalf)
		closings, openings := bits.OnesCount64(closing), bits.OnesCount64(opening)
		if closing1 < depth && closings < depth+opening1 {
			// Neither half has enough closing brackets for a depth of zero.
			depth += openings - closings
			continue
		}
		var end int
		depth, end = depthAfter(depth, brackets, closing)
		if depth == 0 {
			s.depth, s.inString, s.escaped = 0, false, false
			return i + end
		}
	}
	s.depth, s.inString, s.escaped = depth, within != 0, escape != 0
	return i
}

// skipRest is skipBlocks for the end of a piece, if less than a block is left.
// It puts those bytes at the end of a block of their own.
func (s *Scanner) skipRest(b []byte, i int) int {
	var block [64]byte
	start := 64 - (len(b) - i)
	copy(block[start:], b[i:])
	if s.escaped {
		block[start-1], s.escaped = '\\', false
	}
	return i + s.skipBlocks(block[:], 0) - start
}

// skipShort skips what is outside the containers of a member or element: short
// strings, scalars, colons and space. In an object it also skips commas, as long
// as the next key differs from the step in its first byte. It returns the offset
// of the next comma or bracket, or of where another method has to go on: at a
// word that is inside a string or has a backslash, or if less than a word is
// left.
func (s *Scanner) skipShort(b []byte, i int) int {
	step := &s.steps[s.level]
	var within uint64 // all bits, if inside a string
	if s.inString {
		within = ^within
	}
	for i+8 <= len(b) && !s.escaped {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		quotes := equal(w, '"'*ones)
		if quotes == 0 && within != 0 || firstZero(w^'\\'*ones) != 0 {
			break
		}
		inside := insideWord(quotes, within)
		stops := (firstZero(w^','*ones) | firstZero((w|bracketBits)^anyBracket)) &^ inside
		if stops == 0 {
			i += 8
			within = spread(inside)
			continue
		}
		i += bits.TrailingZeros64(stops) / 8
		if s.inArray || b[i] != ',' || i+2 >= len(b) || b[i+1] != '"' || !step.cannotBegin(b[i+2]) {
			s.inString = false
			return i
		}
		i += 2
		within = ^uint64(0)
	}
	s.inString = within != 0
	return i
}

// skipString skips the rest of a string, and returns the offset after its
// closing quote, or len(b) if that has not come.
func (s *Scanner) skipString(b []byte, i int) int {
	for s.inString && i < len(b) {
		var escape uint64 // 0x80, if the next byte is escaped
		if s.escaped {
			escape = 0x80
		}
		// Most strings end within a few words. Once two words have neither a
		// quote nor a backslash, bytes.IndexByte is faster.
		for plain := 0; plain < 2 && i+8 <= len(b); i += 8 {
			w := binary.LittleEndian.Uint64(b[i : i+8])
			quotes, slashes := equal(w, '"'*ones), equal(w, '\\'*ones)
			escaped := slashes<<8 | escape
			if slashes&escaped != 0 {
				break // a run of backslashes: skipToQuote counts them
			}
			quotes &^= escaped
			if quotes != 0 {
				s.inString, s.escaped = false, false
				return i + bits.TrailingZeros64(quotes)/8 + 1
			}
			plain++
			if slashes != 0 {
				plain = 0
			}
			escape = slashes >> 56
		}
		s.escaped = escape != 0
		i = s.skipToQuote(b, i)
	}
	return i
}

// skipToQuote skips the part of a string up to and including the next quote. If
// that quote is escaped, the string goes on after it.
func (s *Scanner) skipToQuote(b []byte, i int) int {
	if s.escaped && i < len(b) {
		s.escaped = false
		i++
	}
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 {
		s.escaped = s.escaped || trailingBackslashes(b[i:])%2 == 1
		return len(b)
	}
	s.inString = trailingBackslashes(b[i:i+n])%2 == 1
	return i + n + 1
}
