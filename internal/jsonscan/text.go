package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// nextRune decodes the first character of s, which is part of the content of a
// JSON string and not empty. As in encoding/json, a lone surrogate or a byte that
// is not UTF-8 becomes U+FFFD. nextRune returns the character's length in s, or
// zero if s begins with what is not allowed in a string.
func nextRune(s []byte) (rune, int) {
	switch c := s[0]; {
	case c == '\\':
		return nextEscape(s)
	case c < ' ', c == '"':
		return 0, 0
	case c < utf8.RuneSelf:
		return rune(c), 1
	}
	return utf8.DecodeRune(s)
}

// nextEscape is nextRune if s begins with a backslash.
func nextEscape(s []byte) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := hexEscape(s)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	// If what follows is not the other half, it is a character of its own.
	if low, ok := hexEscape(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// hexEscape decodes \uXXXX at the beginning of s. It returns false if there is
// none.
func hexEscape(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// stringContent returns what is between the quotes of raw. It returns false if
// raw is not a valid JSON string.
func stringContent(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return nil, false
	}
	text := raw[1 : len(raw)-1]
	for rest := text; len(rest) > 0; {
		_, size := nextRune(rest)
		if size == 0 {
			return nil, false
		}
		rest = rest[size:]
	}
	return text, true
}
