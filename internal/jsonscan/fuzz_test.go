package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// reference does with encoding/json what a Scanner does: it goes from token to
// token, and into the first member or the element that each step names.
func reference(dec *json.Decoder, steps []string) (json.RawMessage, bool) {
	if len(steps) == 0 {
		var value json.RawMessage
		err := dec.Decode(&value)
		return value, err == nil
	}
	switch token, _ := dec.Token(); token {
	case json.Delim('{'):
		for dec.More() {
			if key, _ := dec.Token(); key == steps[0] {
				return reference(dec, steps[1:])
			}
			skip(dec)
		}
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if strconv.Itoa(i) == steps[0] {
				return reference(dec, steps[1:])
			}
			skip(dec)
		}
	}
	return nil, false
}

// skip reads one value, token by token.
func skip(dec *json.Decoder) {
	for depth := 0; ; {
		switch token, _ := dec.Token(); token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return
		}
	}
}

// pointerSyntax is RFC 6901's grammar.
var pointerSyntax = regexp.MustCompile(`(?s)\A(/([^~/]|~0|~1)*)*\z`)

// referenceSteps are the steps of a pointer that fits the grammar.
func referenceSteps(pointer string) []string {
	steps := strings.Split(pointer, "/")[1:]
	for i, step := range steps {
		steps[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(step)
	}
	return steps
}

// FuzzLookup holds the scanner, given a document in pieces, to the reference.
func FuzzLookup(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d.json), d.pointer, []byte{1, 1, 2, 3, 5, 8}, uint8(3))
	}
	f.Fuzz(func(t *testing.T, doc []byte, pointer string, sizes []byte, limit uint8) {
		if err := checkLookup(doc, pointer, sizes, int(limit)); err != nil {
			t.Fatal(err)
		}
	})
}

// checkLookup compares what the scanner finds in a document, given in pieces
// of these sizes, with what the reference finds.
func checkLookup(doc []byte, pointer string, sizes []byte, limit int) error {
	p, err := Parse(pointer)
	if want := utf8.ValidString(pointer) && pointerSyntax.MatchString(pointer); (err == nil) != want {
		return fmt.Errorf("Parse(%q): got %v, want valid %v", pointer, err, want)
	}
	if err != nil {
		return nil
	}
	options := Options{MaxValue: len(doc) + 1}
	status, value := scanPieces(p, options, doc, sizes)
	if whole, wholeValue := scanPieces(p, options, doc, nil); whole != status || wholeValue != value {
		return fmt.Errorf("in pieces: got %v %q, want %v %q as at once", status, value, whole, wholeValue)
	}
	if status == Found && value != "{" && value != "[" && !json.Valid([]byte(value)) {
		return fmt.Errorf("found %q, which is not JSON", value)
	}
	// Of several documents, with space between them, the first counts.
	var first json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(doc))
	if dec.Decode(&first) != nil {
		return nil
	}
	if rest := doc[dec.InputOffset():]; len(rest) > 0 && space(rest, 0) == 0 {
		return nil
	}
	raw, found := reference(json.NewDecoder(bytes.NewReader(first)), referenceSteps(pointer))
	if !found {
		if status != Absent {
			return fmt.Errorf("got %v %q, want Absent", status, value)
		}
		return nil
	}
	head := string(raw)
	if head[0] == '{' || head[0] == '[' {
		head = head[:1]
	}
	if status != Found || value != head {
		return fmt.Errorf("got %v %q, want Found %q", status, value, head)
	}
	want := Found
	if options = (Options{MaxValue: limit + 1, Containers: true}); len(raw) > options.MaxValue {
		want, raw = TooLong, nil
	}
	if status, value = scanPieces(p, options, doc, sizes); status != want || value != string(raw) {
		return fmt.Errorf("containers, limit %d: got %v %q, want %v %q", options.MaxValue, status, value, want, raw)
	}
	return nil
}

// scanPieces scans a document in pieces of the sizes given, which may be zero,
// and what is left at last in one.
func scanPieces(p Pointer, o Options, doc, sizes []byte) (Status, string) {
	var s Scanner
	s.Reset(p, o)
	for _, size := range sizes {
		n := min(int(size), len(doc))
		s.Scan(doc[:n:n])
		doc = doc[n:]
	}
	s.Scan(doc)
	status := s.End()
	return status, string(s.Value())
}

// FuzzDecode holds the decoding of raw values to encoding/json and math/big.
func FuzzDecode(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, d := range decoders {
			if err := d.check(raw); err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
		}
	})
}
