// Package sse finds the first event of a text/event-stream while it arrives. It
// follows the HTML Standard, section 9.2.6, "Interpreting an event stream", except
// that the bytes of an event are kept as they are, also where they are no UTF-8.
package sse

import "bytes"

// State says how far a Scanner has come.
type State int

const (
	Pending State = iota // the first event is not complete
	Found                // it is complete
	TooLong              // it is not complete within Max bytes
)

// Scanner looks for the first event of a stream that it is fed piece by piece.
// That event is the first one that has data, be it empty: comments, fields of
// other names, and events without data come before it. It is complete as soon as
// the line after it is known to be blank, at its CR or LF. At the end of the stream
// an event that is not complete counts for nothing.
//
// The zero value looks at nothing; set Max. A Scanner is for one goroutine.
type Scanner struct {
	// Max bounds what is looked at of the stream, in bytes, comments included, and
	// so what is held in memory. Zero or negative means nothing.
	Max int64

	fed   int64
	state State
	line  []byte // what has arrived of a line that is not complete
	begun bool   // the first line was complete: no byte order mark follows
	skip  bool   // a CR was the last byte: a LF belongs to it
	lines int    // of data
	data  []byte
	event string
}

// Feed takes the next bytes of the stream. It keeps no reference to p. Once the
// state is not Pending, further bytes change nothing.
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

// Data returns the data of the first event once the state is Found: its lines,
// joined by LF. It is the Scanner's memory, not to be changed.
func (s *Scanner) Data() []byte {
	if s.state != Found {
		return nil
	}
	return s.data
}

// Event returns the name of the first event once the state is Found. It is empty
// for one without a name, which is a message to the standard.
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

// endLine takes a line that is complete, without its end.
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
