package jsonscan

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// The functions in this file turn a raw value, as [Scanner.Value] returns it,
// into one of Go's. Each reports whether raw is of its kind; what is not valid
// JSON is of none.

// Int returns the integer that raw stands for. It goes by the value, not by
// the spelling: 0.0 and 1e3 are integers. So is a string that holds just such
// a number, since APIs send both. What is not integral, or does not fit into
// T, is not.
func Int[T int | int8 | int16 | int32 | int64](raw []byte) (v T, ok bool) {
	n, negative, ok := integer(numberText(raw))
	if negative {
		n = -n
	}
	// The conversions keep the value only if it fits: in T, and in an int64
	// with that sign.
	v = T(n)
	if !ok || uint64(v) != n || n != 0 && (v < 0) != negative {
		return 0, false
	}
	return v, true
}

// Uint is Int for an integer that is not negative. -0 is 0.
func Uint[T uint | uint8 | uint16 | uint32 | uint64 | uintptr](raw []byte) (v T, ok bool) {
	n, negative, ok := integer(numberText(raw))
	v = T(n)
	if !ok || uint64(v) != n || n != 0 && negative {
		return 0, false
	}
	return v, true
}

// Float returns the T that is nearest to the number that raw is, or that it
// holds as a string. A number beyond the range of T is not ok.
func Float[T float32 | float64](raw []byte) (v T, ok bool) {
	text := numberText(raw)
	if !isNumber(text) {
		return 0, false
	}
	bits := 64
	if _, ok := any(v).(float32); ok {
		bits = 32
	}
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, false
	}
	return T(f), true
}

// Number returns, as it is spelt, the number that raw is, or that it holds as
// a string.
func Number(raw []byte) (json.Number, bool) {
	text := numberText(raw)
	if !isNumber(text) {
		return "", false
	}
	return json.Number(text), true
}

// String returns the string that raw is, decoded as encoding/json does: lone
// surrogates and bytes that are not UTF-8 become U+FFFD.
func String(raw []byte) (string, bool) {
	text, ok := inside(raw)
	if !ok {
		return "", false
	}
	return string(decoded(text)), true
}

// Bool returns the boolean that raw is.
func Bool(raw []byte) (value, ok bool) {
	switch string(raw) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// numberText returns what is a number if raw is one or holds one as a string.
func numberText(raw []byte) []byte {
	if text, ok := inside(raw); ok {
		return decoded(text)
	}
	return raw
}

// decoded returns what text, the inside of a JSON string, means. Where it
// means itself, it is returned as it is.
func decoded(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); {
		r, size := nextRune(text[i:])
		if out == nil && (text[i] == '\\' || r == utf8.RuneError) {
			out = append(make([]byte, 0, len(text)+utf8.UTFMax), text[:i]...)
		}
		if out != nil {
			out = utf8.AppendRune(out, r)
		}
		i += size
	}
	if out == nil {
		return text
	}
	return out
}
