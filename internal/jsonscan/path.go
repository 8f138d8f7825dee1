package jsonscan

// The methods in this file follow the pointer through the document. Each takes
// a piece and the offset of the next byte in it, and returns the offset from
// which the scanner goes on, in the state that it has set.

// value enters an object or array on the way, or begins to capture the value.
func (s *Scanner) value(b []byte, i int) int {
	i = skipSpace(b, i)
	if i == len(b) {
		return i
	}
	c := b[i]
	if c == ']' {
		s.status = Absent // the array is empty, or this is not JSON
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

// enterArray goes to the element with this index.
func (s *Scanner) enterArray(index int) {
	s.inArray, s.index = true, index
	switch index {
	case notAnIndex:
		s.status = Absent
	case 0:
		s.level++
		s.state = beforeValue
	default:
		s.state = skipping
	}
}

// key compares a key of the object that was entered last with the step. If they
// differ, the member is skipped. If they are equal, the member decides: the
// scanner never returns to a level above, and remembers nothing of it.
func (s *Scanner) key(b []byte, i int) int {
	i = skipSpace(b, i)
	if i == len(b) {
		return i
	}
	if b[i] != '"' {
		s.status = Invalid
		if b[i] == '}' {
			s.status = Absent
		}
		return i
	}
	i++
	s.inString = true
	if i < len(b) && s.steps[s.level].cannotBegin(b[i]) {
		s.state = skipping
		return i
	}
	end := s.skipString(b, i)
	if s.inString {
		s.buf, s.state = s.buf[:0], inKey
		s.keepKey(b[i:end])
		return end
	}
	s.compare(b[i : end-1])
	return end
}

// restOfKey continues a key that began in an earlier piece.
func (s *Scanner) restOfKey(b []byte, i int) int {
	end := s.skipString(b, i)
	if s.inString {
		s.keepKey(b[i:end])
		return end
	}
	s.keepKey(b[i : end-1])
	if s.state == inKey {
		s.compare(s.buf)
	}
	return end
}

// keepKey buffers part of a key. If the key is longer than any that can equal
// the step, its member is skipped instead.
func (s *Scanner) keepKey(part []byte) {
	if len(s.buf)+len(part) > s.steps[s.level].maxKeyLength() {
		s.state = skipping
		return
	}
	s.buf = append(s.buf, part...)
}

// compare decides whether the member with this key is skipped.
func (s *Scanner) compare(key []byte) {
	s.state = skipping
	if s.steps[s.level].equals(key) {
		s.state = beforeColon
	}
}

// colon goes past the colon between the key that was looked up and its value.
func (s *Scanner) colon(b []byte, i int) int {
	i = skipSpace(b, i)
	if i == len(b) {
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

// skipMembers skips members or elements up to the next key that may equal the
// step, to the element with the right index, or to the end of the container.
// It distinguishes only strings, brackets and commas, so that the rest of a
// key, the colon, the value and the space around them need no states of their
// own.
func (s *Scanner) skipMembers(b []byte, i int) int {
	for i < len(b) && s.state == skipping {
		if s.depth > 0 {
			i = s.skipInside(b, i)
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
		i = s.skipShort(b, i)
		if s.inString {
			i = s.skipString(b, i)
		}
	}
	return i
}

// next goes to the key or element after a comma.
func (s *Scanner) next(b []byte, i int) int {
	if !s.inArray {
		s.state = beforeKey
		return s.key(b, i)
	}
	s.index--
	if s.index == 0 {
		s.level++
		s.state = beforeValue
	}
	return i
}

// skipSpace returns the offset of the first byte that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// startsScalar reports whether c is the first byte of a string, number or
// literal.
func startsScalar(c byte) bool {
	return c == '"' || c == '-' || '0' <= c && c <= '9' || c == 't' || c == 'f' || c == 'n'
}
