// Package jsonscan looks up one value in a JSON document that arrives in
// pieces, and decodes it.
//
// A [Scanner] reports its result at the first byte that makes it certain, and
// keeps nothing of the document but the value. For every valid document the
// result is that of a walk over [encoding/json.Decoder.Token] in which the first
// of several equal keys decides. It does not depend on how the document is cut
// into pieces.
//
// The document is not validated: the scanner skips what it does not look for by
// quotes and brackets alone. An invalid document may therefore have any result.
// But a string, number or literal that is found is always valid JSON.
package jsonscan

// Status is what a [Scanner] knows so far. Every status but More is final.
type Status uint8

const (
	// More means that the result is not certain yet. Call [Scanner.Scan] with
	// the next piece or, if there is none, [Scanner.End].
	More Status = iota
	// Found means that the whole value is in [Scanner.Value].
	Found
	// Absent means that the document has no such value.
	Absent
	// Invalid means that the document is not JSON or is truncated.
	Invalid
	// TooLong means that the value exceeds [Options].MaxValue.
	TooLong
)

// String returns the constant's name.
func (s Status) String() string {
	names := [...]string{"More", "Found", "Absent", "Invalid", "TooLong"}
	if int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// DefaultMaxValue is the maximum length of a value, in bytes, if
// [Options].MaxValue is zero or negative.
const DefaultMaxValue = 4 << 10

// Options say which part of a value a [Scanner] keeps. The zero value suits
// strings, numbers and literals.
type Options struct {
	// MaxValue is the maximum length of the value in bytes, quotes included. A
	// longer one results in TooLong. Zero or negative means DefaultMaxValue.
	MaxValue int
	// Containers makes the scanner keep an object or array up to its closing
	// bracket. Its content is not validated. If false, an object or array is
	// Found at its opening bracket, and the value is that bracket.
	Containers bool
}

// Scanner looks up one value in one document. The zero value looks up the whole
// document; [Scanner.Reset] prepares for another. Reset keeps the buffer, so a
// scanner that is reused allocates nothing in the long run. A Scanner must not
// be copied after first use, nor used by two goroutines at once.
type Scanner struct {
	steps   []step
	options Options
	status  Status
	state   state

	level   int // how many steps are taken, each into an object or array
	inArray bool
	index   int // elements to skip in the array that was entered last

	depth    int    // containers that are open within the value skipped or captured
	inString bool   // inside a key or string
	escaped  bool   // the next byte follows a backslash that escapes it
	literal  string // the rest of true, false or null that must follow

	buf []byte // the value, or the key if it is not in one piece
}

// state is what the next byte belongs to.
type state uint8

const (
	beforeValue     state = iota // the value after the last step
	beforeKey                    // a key of the object that was entered last, or its end
	inKey                        // a key that began in an earlier piece
	beforeColon                  // the colon after the key that was looked up
	skipping                     // anything up to the next comma on this level
	capturingString              // the value that was looked up, from here on
	capturingNumber
	capturingLiteral
	capturingContainer
)

// Reset prepares the scanner to look up p in a new document. The last value is
// no longer valid.
func (s *Scanner) Reset(p Pointer, o Options) {
	*s = Scanner{steps: p.steps, options: o, buf: s.buf[:0]}
}

// Scan takes the next piece of the document, of any length, and returns the
// status. It does not retain the piece. If the status is final already, the
// piece is ignored.
func (s *Scanner) Scan(piece []byte) Status {
	for i := 0; i < len(piece) && s.status == More; {
		switch s.state {
		case skipping:
			i = s.skipMembers(piece, i)
		case beforeKey:
			i = s.key(piece, i)
		case inKey:
			i = s.restOfKey(piece, i)
		case beforeColon:
			i = s.colon(piece, i)
		case beforeValue:
			i = s.value(piece, i)
		case capturingString:
			i = s.captureString(piece, i)
		case capturingNumber:
			i = s.captureNumber(piece, i)
		case capturingLiteral:
			i = s.captureLiteral(piece, i)
		case capturingContainer:
			i = s.captureContainer(piece, i)
		}
	}
	return s.status
}

// End reports the end of the document and returns the final status. If the
// document is a single number, this is what completes it. Otherwise a document
// that ends while the status is More is Invalid.
func (s *Scanner) End() Status {
	switch {
	case s.status != More:
	case s.state == capturingNumber && s.level == 0:
		s.finishNumber()
	default:
		s.status = Invalid
	}
	return s.status
}

// Value returns the value as it is written in the document if the status is
// Found, else nil. It is valid until the next [Scanner.Reset].
func (s *Scanner) Value() []byte {
	if s.status != Found {
		return nil
	}
	return s.buf
}
