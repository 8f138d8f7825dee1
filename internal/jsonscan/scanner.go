// Package jsonscan finds one value in a JSON document while the document is
// still arriving: it is handed the pieces as they come, keeps nothing of them
// but the value that is looked for, and says so at the byte from which the
// answer is certain.
//
// On every valid document its verdict is that of a walk over
// [encoding/json.Decoder.Token] in which the first of duplicate keys decides,
// at every level. Validity itself is looked at only on the way: what is
// skipped is passed over by its quotes and brackets alone, so on an invalid
// document any verdict may come, but for a scalar that is no JSON value.
package jsonscan

// Status says what a [Scanner] knows so far. All but More are final.
type Status uint8

const (
	// More means that nothing is certain yet: scan on, or call [Scanner.End].
	More Status = iota
	// Found means that the value is there, whole, in [Scanner.Value].
	Found
	// Absent means that the document cannot have the value any more.
	Absent
	// Invalid means that the document is not JSON, or that it ended too early.
	Invalid
	// TooLong means that the value is there, but longer than [Options].MaxValue.
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

// Source is a reader that can also hand over its bytes without a copy.
type Source interface {
	// Next returns the bytes that follow, which are valid until the source is
	// closed or used again. An error comes without bytes.
	Next() ([]byte, error)
}

// DefaultMaxValue is the length to which a value is kept if the [Options]
// don't say.
const DefaultMaxValue = 4 << 10

// Options say what a [Scanner] hands over. The zero value suits a look-up of
// a string, number or literal.
type Options struct {
	// MaxValue is how many raw bytes of the value are kept at most, quotes
	// included; a longer one ends in TooLong. Zero or negative means
	// DefaultMaxValue.
	MaxValue int
	// Containers has an object or array kept whole, up to its closing bracket,
	// of which only the nesting is checked. If false, it is Found at its
	// opening bracket, and that bracket is the Value.
	Containers bool
}

// Scanner looks for one value in one document. [Scanner.Reset] makes it ready;
// the zero value looks for the whole document. A Scanner that is used again
// keeps its buffer, so that in the long run it allocates nothing. It must not
// be used by two goroutines at once, nor be copied once it has been used.
type Scanner struct {
	steps   []step
	options Options
	status  Status
	state   state

	level   int // steps taken: containers entered on the way to the value
	inArray bool
	index   int // elements to pass in the array that was entered last

	depth    int    // containers entered of the value that is passed or captured
	inString bool   // inside a key or string
	escaped  bool   // there, and after a backslash that escapes the next byte
	plain    int    // place in the piece before which there is no backslash
	literal  string // what has yet to come of true, false or null

	buf []byte // the value, or a key that came in more than one piece
}

// state says what the next byte belongs to.
type state uint8

const (
	beforeValue     state = iota // the value of the last step taken
	beforeKey                    // a key of the object entered, or its end
	inKey                        // a key that began in an earlier piece
	beforeColon                  // after the key that was looked for
	passing                      // a value of no interest, up to the comma after it
	capturingString              // the value looked for, from here on
	capturingNumber
	capturingLiteral
	capturingContainer
)

// Reset makes the scanner ready for a new document, in which it looks for what
// p points to. It keeps the buffer, so an earlier [Scanner.Value] is lost.
func (s *Scanner) Reset(p Pointer, o Options) {
	*s = Scanner{steps: p.steps, options: o, buf: s.buf[:0]}
}

// Scan looks at the next piece of the document, of any length, and returns
// what is known after it. It keeps no reference to the piece. Once the status
// is final, further pieces are not looked at.
func (s *Scanner) Scan(piece []byte) Status {
	s.plain = 0
	for i := 0; i < len(piece) && s.status == More; {
		switch s.state {
		case passing:
			i = s.pass(piece, i)
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

// End says that the document has ended, and returns the final status. Only a
// number that is the whole document is complete just then; with any other
// document that leaves the question open, it is Invalid.
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

// Value returns the value as it stands in the document once the status is
// Found, and nil before. It is valid until the next [Scanner.Reset].
func (s *Scanner) Value() []byte {
	if s.status != Found {
		return nil
	}
	return s.buf
}
