package jsonscan

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pointer is a parsed JSON Pointer (RFC 6901). It is immutable and may be shared
// by goroutines. The zero value points to the whole document, as Parse("") does.
type Pointer struct {
	steps []step
}

// step is one reference token of a pointer. It names a member if the value at
// that place is an object, or an element if it is an array.
type step struct {
	name  string
	index int // of the element that name stands for, or notAnIndex
}

// notAnIndex is the index of a step that no element has: a name, a number with a
// leading zero, a number that overflows an int, or "-", which RFC 6901 has for
// the element after the last.
const notAnIndex = -1

// Parse parses a pointer: empty for the whole document, or steps that each begin
// with a slash, with ~1 for a slash and ~0 for a tilde in a step. It returns an
// error for anything else, and for a pointer that is not UTF-8, since no key
// can equal one of its steps.
func Parse(pointer string) (Pointer, error) {
	if pointer == "" {
		return Pointer{}, nil
	}
	if pointer[0] != '/' {
		return Pointer{}, fmt.Errorf("JSON pointer %q does not begin with a slash", pointer)
	}
	if !utf8.ValidString(pointer) {
		return Pointer{}, fmt.Errorf("JSON pointer %q is not UTF-8", pointer)
	}
	var p Pointer
	for text := range strings.SplitSeq(pointer[1:], "/") {
		name, ok := unescape(text)
		if !ok {
			return Pointer{}, fmt.Errorf("JSON pointer %q has a ~ that is not followed by 0 or 1", pointer)
		}
		p.steps = append(p.steps, step{name, arrayIndex(name)})
	}
	return p, nil
}

// unescape decodes ~0 and ~1. It returns false if there is another tilde.
func unescape(text string) (string, bool) {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			break
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return "", false
		}
		rest = after
	}
	// ~1 comes first, as RFC 6901 demands: ~01 is ~1, not a slash.
	return strings.ReplaceAll(strings.ReplaceAll(text, "~1", "/"), "~0", "~"), true
}

// arrayIndex returns the index of the element that name stands for, or
// notAnIndex.
func arrayIndex(name string) int {
	if name == "" || name[0] < '0' || name[0] > '9' || name[0] == '0' && len(name) > 1 {
		return notAnIndex
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return notAnIndex
	}
	return n
}

// equals reports whether raw, the content of a key, decodes to the step's name.
// It decodes while it compares, and so allocates nothing.
func (t *step) equals(raw []byte) bool {
	name := t.name
	// What is plain is compared byte by byte. Unless the next byte is plain as
	// well, the rest may be equal though it is written in another way.
	n := 0
	for n < len(raw) && n < len(name) && raw[n] == name[n] && isPlain(raw[n]) {
		n++
	}
	raw, name = raw[n:], name[n:]
	if len(raw) == 0 || isPlain(raw[0]) {
		return len(raw) == 0 && name == ""
	}
	for len(raw) > 0 && name != "" {
		got, size := nextRune(raw)
		want, width := utf8.DecodeRuneInString(name)
		if size == 0 || got != want {
			return false
		}
		raw, name = raw[size:], name[width:]
	}
	return len(raw) == 0 && name == ""
}

// cannotBegin reports whether no key whose first byte is c equals the step. If
// the key is empty, c is its closing quote.
func (t *step) cannotBegin(c byte) bool {
	if t.name == "" {
		return c != '"'
	}
	return c != t.name[0] && isPlain(c)
}

// isPlain reports whether c stands for itself in a JSON string: ASCII without the
// backslash.
func isPlain(c byte) bool { return c < utf8.RuneSelf && c != '\\' }

// maxKeyLength returns the length of the longest key that can equal the step:
// six bytes, as in \u0041, for each byte of its name.
func (t *step) maxKeyLength() int { return 6 * len(t.name) }
