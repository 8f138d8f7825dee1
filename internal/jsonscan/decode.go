package jsonscan

import (
	"strconv"
	"unicode/utf8"
)

// The functions in this file turn a raw value, as [Scanner.Value] returns it,
// into one of Go's. Each reports whether raw is of its kind; what is not valid
// JSON is of none.

// Int returns the integer that raw stands for. It goes by the value, not by
// the spelling: 0.0 and 1e3 are integers. So is a string that holds just such
// a number, since APIs send both. What is not integral or does not fit is not.
func Int(raw []byte) (int64, bool) {
	d, ok := split(numberText(raw))
	if !ok {
		return 0, false
	}
	return d.int64()
}

// Float returns the float that is nearest to the number that raw is, or that
// it holds as a string. A number beyond the range of float64 is not ok.
func Float(raw []byte) (float64, bool) {
	text := numberText(raw)
	if !isNumber(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// Number returns, as it is spelt, the number that raw is, or that it holds as
// a string: what an [encoding/json.Number] holds.
func Number(raw []byte) (string, bool) {
	text := numberText(raw)
	if !isNumber(text) {
		return "", false
	}
	return string(text), true
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
