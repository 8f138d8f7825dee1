package jsonscan

import "strings"

// The methods in this file copy the value that was looked up into the buffer.

// capture begins with the value whose first byte is b[i].
func (s *Scanner) capture(b []byte, i int) int {
	s.buf = s.buf[:0]
	switch c := b[i]; {
	case c == '"':
		s.state, s.inString = capturingString, true
		s.keep(b[i : i+1])
		return i + 1
	case c == '-' || '0' <= c && c <= '9':
		s.state = capturingNumber
	case c == 't':
		s.state, s.literal = capturingLiteral, "true"
	case c == 'f':
		s.state, s.literal = capturingLiteral, "false"
	case c == 'n':
		s.state, s.literal = capturingLiteral, "null"
	case c == '{' || c == '[':
		s.keep(b[i : i+1])
		if !s.options.Containers {
			s.status = Found
		}
		s.state, s.depth = capturingContainer, 1
		return i + 1
	default:
		s.status = Invalid
	}
	return i
}

// captureString captures a string up to its closing quote, and validates it.
func (s *Scanner) captureString(b []byte, i int) int {
	end := s.skipString(b, i)
	s.keep(b[i:end])
	if s.status == More && !s.inString {
		s.status = Invalid
		if _, ok := stringContent(s.buf); ok {
			s.status = Found
		}
	}
	return end
}

// captureNumber captures a number. Only the byte after it shows where it ends.
func (s *Scanner) captureNumber(b []byte, i int) int {
	end := i
	for end < len(b) && isNumberByte(b[end]) {
		end++
	}
	s.keep(b[i:end])
	if s.status == More && end < len(b) {
		s.finishNumber()
		if strings.IndexByte(" \n\r\t,]}", b[end]) < 0 {
			s.status = Invalid
		}
	}
	return end
}

// finishNumber validates the number that was captured.
func (s *Scanner) finishNumber() {
	s.status = Invalid
	if isNumber(s.buf) {
		s.status = Found
	}
}

// captureLiteral captures true, false or null.
func (s *Scanner) captureLiteral(b []byte, i int) int {
	n := min(len(s.literal), len(b)-i)
	if string(b[i:i+n]) != s.literal[:n] {
		s.status = Invalid
		return i
	}
	s.literal = s.literal[n:]
	s.keep(b[i : i+n])
	if s.status == More && s.literal == "" {
		s.status = Found
	}
	return i + n
}

// captureContainer captures an object or array up to its closing bracket.
func (s *Scanner) captureContainer(b []byte, i int) int {
	end := s.skipInside(b, i)
	s.keep(b[i:end])
	if s.status == More && s.depth == 0 {
		s.status = Found
	}
	return end
}

// keep appends part to the value. If that makes it too long, the status is
// TooLong.
func (s *Scanner) keep(part []byte) {
	limit := s.options.MaxValue
	if limit <= 0 {
		limit = DefaultMaxValue
	}
	if len(s.buf)+len(part) > limit {
		s.status = TooLong
		return
	}
	s.buf = append(s.buf, part...)
}
