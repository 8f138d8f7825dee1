// Package sse finds the first event of a text/event-stream while the stream arrives. It
// follows the HTML Standard, section 9.2.6, "Interpreting an event stream", with one
// exception: bytes that are not valid UTF-8 are kept unchanged.
package sse

import "bytes"

// State is the progress of a Scanner.
type State int

const (
	Pending State = iota // the first event is not complete
	Found                // it is complete
	TooLong              // it is not complete within Max bytes
)

// Scanner looks for the first event of a stream, which it is given piece by piece. It
// skips comments, unknown fields, and events without a data field; an empty data field
// counts as data. The event is complete at the CR or LF of the blank line that ends it. If
// the stream ends before that, the event doesn't count.
//
// The zero value examines nothing; set Max. A Scanner must be used by one goroutine only.
type Scanner struct {
	// Max bounds, in bytes, how much of the stream is examined, comments included, and
	// so how much is held in memory. Zero or negative means that nothing is examined.
	Max int64

	fed   int64
	state State
	line  []byte // the start of a line that is not complete
	begun bool   // the first line has ended, so no byte order mark can follow
	skip  bool   // the last byte was a CR, so an LF that follows is part of the same line end
	lines int    // how many data lines the event has so far
	data  []byte
	event string
}

// Feed takes the next bytes of the stream and returns the new state. It keeps no reference
// to p. If the state is not Pending, further bytes change nothing.
func (s *Scanner) Feed(p []byte) State {
	if s.state != Pending {
		return s.state
	}
	short := int64(len(p)) >= s.Max-s.fed
	if short {
		p = p[:max(0, s.Max-s.fed)]
	}
	s.fed += int64(len(p))
	s.scan(p)
	if short && s.state == Pending {
		s.state = TooLong
	}
	return s.state
}

// Data returns the data of the first event if the state is Found: its data lines, joined by
// LF. The bytes belong to the Scanner and must not be changed.
func (s *Scanner) Data() []byte {
	if s.state != Found {
		return nil
	}
	return s.data
}

// Event returns the name of the first event if the state is Found. If the event has no name
// (the standard calls such an event a message), it returns "".
func (s *Scanner) Event() string {
	if s.state != Found {
		return ""
	}
	return s.event
}

func (s *Scanner) scan(p []byte) {
	for len(p) > 0 && s.state == Pending {
		if s.skip && p[0] == '\n' {
			p = p[1:]
		}
		s.skip = false
		end := bytes.IndexAny(p, "\r\n")
		if end < 0 {
			s.line = append(s.line, p...)
			return
		}
		s.skip = p[end] == '\r'
		line := p[:end]
		if len(s.line) > 0 {
			line = append(s.line, line...)
			s.line = line[:0]
		}
		s.endLine(line)
		p = p[end+1:]
	}
}

// endLine processes a complete line, given without its line end.
func (s *Scanner) endLine(line []byte) {
	if !s.begun {
		line, s.begun = bytes.TrimPrefix(line, []byte("\uFEFF")), true
	}
	if len(line) == 0 {
		s.endEvent()
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":")) // no name: a comment
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if s.lines > 0 {
			s.data = append(s.data, '\n')
		}
		s.data = append(s.data, value...)
		s.lines++
	case "event":
		s.event = string(value)
	}
}

func (s *Scanner) endEvent() {
	if s.lines > 0 {
		s.state = Found
		return
	}
	s.event = ""
}
