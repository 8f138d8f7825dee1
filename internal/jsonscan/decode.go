package jsonscan

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// The functions in this file decode a raw value, as [Scanner.Value] returns it.
// They return false if raw is of another type, or not valid JSON.

// Int decodes an integer. It goes by the value, not by how it is written: 0.0
// and 1e3 are integers. So are "0" and "1e3" as strings, since APIs send both.
// If the number is not an integer, or out of T's range, Int returns false.
func Int[T int | int8 | int16 | int32 | int64](raw []byte) (v T, ok bool) {
	n, negative, ok := integer(numberText(raw))
	if negative {
		n = -n
	}
	v = T(n)
	// Converting to T and back changes n if it does not fit into T. If T is
	// int64, it changes the sign.
	if !ok || uint64(v) != n || n != 0 && (v < 0) != negative {
		return 0, false
	}
	return v, true
}

// Uint is [Int] for unsigned integers. -0 is 0.
func Uint[T uint | uint8 | uint16 | uint32 | uint64 | uintptr](raw []byte) (v T, ok bool) {
	n, negative, ok := integer(numberText(raw))
	v = T(n)
	if !ok || uint64(v) != n || n != 0 && negative {
		return 0, false
	}
	return v, true
}

// Float decodes a number, or a string that contains one, to the nearest T. It
// returns false if the number is out of T's range.
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

// Number returns a number, or what a string contains if that is a number, as it
// is written.
func Number(raw []byte) (json.Number, bool) {
	text := numberText(raw)
	if !isNumber(text) {
		return "", false
	}
	return json.Number(text), true
}

// String decodes a string. As in encoding/json, lone surrogates and bytes that
// are not UTF-8 become U+FFFD.
func String(raw []byte) (string, bool) {
	text, ok := stringContent(raw)
	if !ok {
		return "", false
	}
	return string(decodeText(text)), true
}

// Bool decodes a boolean.
func Bool(raw []byte) (value, ok bool) {
	switch string(raw) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// numberText returns the content of raw if that is a string, else raw.
func numberText(raw []byte) []byte {
	if text, ok := stringContent(raw); ok {
		return decodeText(text)
	}
	return raw
}

// decodeText decodes the content of a JSON string. If there is nothing to decode
// in it, it returns text itself.
func decodeText(text []byte) []byte {
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
