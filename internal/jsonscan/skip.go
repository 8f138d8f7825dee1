package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The functions in this file are where the time goes: a document is mostly
// what is not looked for. They read words of eight bytes where they can, with
// few branches, since one that the data makes unforeseeable costs more than a
// word does, and leave what is long to bytes.IndexByte, which reads more.

// passInside goes over what is inside the containers that have been entered,
// and returns the place after them, or the end of the piece if that comes
// first. It counts brackets without telling one kind from the other: in a
// valid document they match.
func (s *Scanner) passInside(b []byte, i int) int {
	for s.depth > 0 && i < len(b) {
		if s.inString {
			i = s.passString(b, i)
			continue
		}
		i = s.passPairs(b[:s.plainUntil(b, i)], i)
		if s.depth > 0 && !s.inString {
			i = s.passBytes(b, i)
		}
	}
	return i
}

// plainUntil returns the place of the next backslash, or one before it.
func (s *Scanner) plainUntil(b []byte, i int) int {
	if i >= s.plain {
		// A look further ahead could be in vain: the value may come first.
		s.plain = min(i+4<<10, len(b))
		if n := bytes.IndexByte(b[i:s.plain], '\\'); n >= 0 {
			s.plain = i + n
		}
	}
	return s.plain
}

// passPairs goes over as many pairs of words as it can without looking at a
// single byte, and returns the place after the last container or where less
// than a pair is left. b has no backslash from i on.
//
// A mask says something of each byte, in the byte's high bit. Where the other
// bits are not zero, they mean nothing.
func (s *Scanner) passPairs(b []byte, i int) int {
	depth := s.depth
	var within uint64 // every bit, if the pair begins in a string
	for ; i+16 <= len(b); i += 16 {
		v, w := binary.LittleEndian.Uint64(b[i:i+8]), binary.LittleEndian.Uint64(b[i+8:i+16])
		quotesV, quotesW := ^differ(v, '"'*ones)&highs, ^differ(w, '"'*ones)&highs
		noBracketV, noBracketW := differ(v|alike, anyBracket), differ(w|alike, anyBracket)
		if quotesV|quotesW == 0 {
			if within != 0 {
				n := bytes.IndexByte(b[i+16:], '"')
				if n < 0 {
					i = len(b)
					break
				}
				// The loop adds 16: this is the place after the quote.
				i, within = i+n+1, 0
				continue
			}
			if noBracketV&noBracketW&highs == highs {
				continue
			}
		}
		insideV := insideMask(quotesV, within)
		insideW := insideMask(quotesW, last(insideV))
		bracketsV, bracketsW := ^(noBracketV|insideV)&highs, ^(noBracketW|insideW)&highs
		closingV, closingW := bracketsV&^(v<<6), bracketsW&^(w<<6)
		closing := bits.OnesCount64(closingV>>1 | closingW)
		if closing >= depth {
			var end int
			if depth, end = lastBracket(bracketsV, closingV, depth); depth == 0 {
				s.depth = 0
				return i + end
			}
			if depth, end = lastBracket(bracketsW, closingW, depth); depth == 0 {
				s.depth = 0
				return i + 8 + end
			}
		} else {
			depth += bits.OnesCount64(bracketsV>>1|bracketsW) - 2*closing
		}
		within = last(insideW)
	}
	s.depth, s.inString = depth, within != 0
	return i
}

// lastBracket returns the depth after a word. Where that comes to 0, it goes no
// further, and returns the place in the word after the bracket in question.
func lastBracket(brackets, closing uint64, depth int) (after, end int) {
	for ; brackets != 0; brackets &= brackets - 1 {
		if lowest := brackets & -brackets; closing&lowest == 0 {
			depth++
		} else if depth--; depth == 0 {
			return 0, bits.TrailingZeros64(lowest)/8 + 1
		}
	}
	return depth, 0
}

// passBytes goes over what passPairs leaves: the bytes before the end of the
// piece, or before a backslash, up to a string or the end of the last
// container.
func (s *Scanner) passBytes(b []byte, i int) int {
	for end := min(i+16, len(b)); i < end && s.depth > 0 && !s.inString; i++ {
		switch c := b[i]; {
		case c == '"':
			s.inString = true
		case c|alike&0xff == anyBracket&0xff:
			s.depth += int(c&2) - 1
		}
	}
	return i
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
