package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// nextRune decodes the first character of s, the inside of a JSON string, as
// encoding/json does: a lone surrogate and each byte that is not UTF-8 become
// U+FFFD. It returns the number of bytes read, 0 where s begins with something
// that may not stand in a JSON string. s must not be empty.
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

// nextEscape is nextRune for an s that begins with a backslash.
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
	// A surrogate without its other half is replaced alone: what follows it,
	// though it may be an escape too, is the next character.
	if low, ok := hexEscape(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// hexEscape decodes the \uXXXX at the beginning of s.
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

// inside returns what stands between the quotes of raw, and whether raw is a
// JSON string at all.
func inside(raw []byte) ([]byte, bool) {
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
