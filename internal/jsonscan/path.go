package jsonscan

// The functions in this file follow the pointer through the document. Each
// takes a piece and the place in it from which to go on, and returns the place
// at which the next state begins.

// value begins a value on the way, or the value that is looked for.
func (s *Scanner) value(b []byte, i int) int {
	if i = space(b, i); i == len(b) {
		return i
	}
	c := b[i]
	if c == ']' {
		s.status = Absent // the array is empty, or this is no JSON
		return i
	}
	if s.level == len(s.steps) {
		return s.capture(b, i)
	}
	switch {
	case c == '{':
		s.inArray, s.state = false, beforeKey
	case c == '[':
		s.enterArray(s.steps[s.level].index)
	case startsScalar(c):
		s.status = Absent
	default:
		s.status = Invalid
	}
	return i + 1
}

// enterArray goes on to the element with this index.
func (s *Scanner) enterArray(index int) {
	s.inArray, s.index = true, index
	switch index {
	case notAnIndex:
		s.status = Absent
	case 0:
		s.level++
		s.state = beforeValue
	default:
		s.state = passing
	}
}

// key compares a key of the object that was entered last. What follows a key
// that is not the one is passed over; what follows the one decides, so that
// the way never leads back and nothing has to be remembered of the levels
// above.
func (s *Scanner) key(b []byte, i int) int {
	if i = space(b, i); i == len(b) {
		return i
	}
	if b[i] != '"' {
		s.status = Invalid
		if b[i] == '}' {
			s.status = Absent
		}
		return i
	}
	s.inString = true
	if i++; i < len(b) && s.steps[s.level].beginsOtherwise(b[i]) {
		s.state = passing
		return i
	}
	end := s.passString(b, i)
	if s.inString {
		s.buf, s.state = s.buf[:0], inKey
		s.keepKey(b[i:end])
		return end
	}
	s.compare(b[i : end-1])
	return end
}

// restOfKey goes on with a key that began in an earlier piece.
func (s *Scanner) restOfKey(b []byte, i int) int {
	end := s.passString(b, i)
	if s.inString {
		s.keepKey(b[i:end])
	} else if s.keepKey(b[i : end-1]); s.state == inKey {
		s.compare(s.buf)
	}
	return end
}

// keepKey stores part of a key, unless it is too long to be the one.
func (s *Scanner) keepKey(part []byte) {
	if len(s.buf)+len(part) > s.steps[s.level].longestKey() {
		s.state = passing
		return
	}
	s.buf = append(s.buf, part...)
}

// compare decides what becomes of the value after a key.
func (s *Scanner) compare(raw []byte) {
	s.state = passing
	if s.steps[s.level].matches(raw) {
		s.state = beforeColon
	}
}

// colon passes the colon between the key that was looked for and its value.
func (s *Scanner) colon(b []byte, i int) int {
	if i = space(b, i); i == len(b) {
		return i
	}
	if b[i] != ':' {
		s.status = Invalid
		return i
	}
	s.level++
	s.state = beforeValue
	return i + 1
}

// pass goes over a value of no interest, and everything else up to the comma
// after it. It sees strings, brackets and commas and nothing more, which makes
// one state of the key, the colon, the value and what is around them.
func (s *Scanner) pass(b []byte, i int) int {
	for i < len(b) && s.state == passing {
		if s.depth > 0 {
			i = s.passInside(b, i)
			continue
		}
		if !s.inString {
			c := b[i]
			i++
			switch c {
			case '{', '[':
				s.depth = 1
				continue
			case '}', ']':
				s.status = Absent
				return i
			case ',':
				i = s.next(b, i)
				continue
			case '"':
				s.inString = true
			}
		}
		if i = s.passShort(b, i); s.inString {
			i = s.passString(b, i)
		}
	}
	return i
}

// next goes on after a comma: to the next key, or the next element.
func (s *Scanner) next(b []byte, i int) int {
	if !s.inArray {
		s.state = beforeKey
		return s.key(b, i)
	}
	if s.index--; s.index == 0 {
		s.level++
		s.state = beforeValue
	}
	return i
}

// space returns the place of the first byte that is not white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// startsScalar reports whether a string, number or literal begins with c.
func startsScalar(c byte) bool {
	return c == '"' || c == '-' || '0' <= c && c <= '9' || c == 't' || c == 'f' || c == 'n'
}
