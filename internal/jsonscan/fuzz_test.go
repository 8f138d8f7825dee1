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

// reference is a Scanner written with encoding/json: it enters the first member,
// or the element, that each step names.
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

// referenceSteps returns the steps of a valid pointer.
func referenceSteps(pointer string) []string {
	steps := strings.Split(pointer, "/")[1:]
	for i, step := range steps {
		steps[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(step)
	}
	return steps
}

// FuzzLookup compares the scanner with the reference, whole and in pieces.
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

// checkLookup compares the results of the scanner, for doc in pieces of these
// sizes, and of the reference.
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
	// If there are several documents with space between them, the first counts.
	var first json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(doc))
	if dec.Decode(&first) != nil {
		return nil
	}
	if rest := doc[dec.InputOffset():]; len(rest) > 0 && skipSpace(rest, 0) == 0 {
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

// scanPieces scans doc in pieces of these sizes, which may be zero, and then the
// rest in one piece.
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

// FuzzDecode compares the decoding of raw values with encoding/json.
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
