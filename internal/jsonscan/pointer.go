package jsonscan

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pointer is a parsed JSON Pointer (RFC 6901). It is never changed after
// [Parse], so any number of goroutines and scanners may share one. The zero
// value points to the whole document, as Parse("") does.
type Pointer struct {
	steps []step
}

// step is one reference token of a pointer. It names a member of an object
// and, where it is written as an index, an element of an array: only the
// document says which of the two is meant.
type step struct {
	name  string
	index int // notAnIndex where name is none
}

// notAnIndex marks a step that no element of an array answers to: a name, a
// number with a leading zero, "-" (the element after the last one), a number
// that no array reaches.
const notAnIndex = -1

// Parse reads a pointer in its string form: empty for the whole document, or
// steps that each begin with a slash, with ~1 for a slash and ~0 for a tilde
// inside a step. Anything else is an error, and so is a pointer that is not
// UTF-8, since no key can match it. Parse once, at set-up, and share.
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

// unescape decodes ~0 and ~1 and reports whether there is no other tilde.
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
	// ~1 first, as RFC 6901 demands: ~01 means ~1, not a slash.
	return strings.ReplaceAll(strings.ReplaceAll(text, "~1", "/"), "~0", "~"), true
}

// arrayIndex returns the element that name stands for inside an array.
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

// matches reports whether raw, a key as it stands between its quotes, means
// the step's name. It decodes as it compares, so it allocates nothing and
// leaves a key that differs at the first character that does.
func (t *step) matches(raw []byte) bool {
	name := t.name
	n := 0
	for n < len(raw) && n < len(name) && raw[n] == name[n] && meansItself(raw[n]) {
		n++
	}
	if raw, name = raw[n:], name[n:]; len(raw) == 0 || meansItself(raw[0]) {
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

// beginsOtherwise reports whether no key that begins with c means the step's
// name; c may be the quote after an empty one.
func (t *step) beginsOtherwise(c byte) bool {
	if t.name == "" {
		return c != '"'
	}
	return c != t.name[0] && meansItself(c)
}

// meansItself reports whether c is a character of its own in a JSON string, in
// whatever company it stands.
func meansItself(c byte) bool { return c < utf8.RuneSelf && c != '\\' }

// longestKey is the most raw bytes in which a key can still mean the step's
// name: six, as in \u0041, for each byte of it. A longer one need not be kept.
func (t *step) longestKey() int { return 6 * len(t.name) }
