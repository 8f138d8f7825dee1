package jsonscan

import "strings"

// The functions in this file take down the value that was looked for.

// capture begins the value at b[i].
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
		if s.keep(b[i : i+1]); !s.options.Containers {
			s.status = Found
		}
		s.state, s.depth = capturingContainer, 1
		return i + 1
	default:
		s.status = Invalid
	}
	return i
}

// captureString takes down a string to its end and sees whether it is one:
// for what is handed over, unlike what is skipped, the scanner answers.
func (s *Scanner) captureString(b []byte, i int) int {
	end := s.passString(b, i)
	if s.keep(b[i:end]); s.status == More && !s.inString {
		s.status = Invalid
		if _, ok := inside(s.buf); ok {
			s.status = Found
		}
	}
	return end
}

// captureNumber takes down a number. Only the byte after it tells its end.
func (s *Scanner) captureNumber(b []byte, i int) int {
	end := i
	for end < len(b) && inNumberSet(b[end]) {
		end++
	}
	if s.keep(b[i:end]); s.status == More && end < len(b) {
		s.finishNumber()
		if strings.IndexByte(" \n\r\t,]}", b[end]) < 0 {
			s.status = Invalid
		}
	}
	return end
}

// finishNumber judges the number that was taken down.
func (s *Scanner) finishNumber() {
	s.status = Invalid
	if isNumber(s.buf) {
		s.status = Found
	}
}

// captureLiteral takes down true, false or null.
func (s *Scanner) captureLiteral(b []byte, i int) int {
	n := min(len(s.literal), len(b)-i)
	if string(b[i:i+n]) != s.literal[:n] {
		s.status = Invalid
		return i
	}
	s.literal = s.literal[n:]
	if s.keep(b[i : i+n]); s.status == More && s.literal == "" {
		s.status = Found
	}
	return i + n
}

// captureContainer takes down an object or array to its closing bracket.
func (s *Scanner) captureContainer(b []byte, i int) int {
	end := s.passInside(b, i)
	if s.keep(b[i:end]); s.status == More && s.depth == 0 {
		s.status = Found
	}
	return end
}

// keep adds part to the value, unless that makes it longer than is allowed.
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
