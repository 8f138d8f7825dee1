package jsonscan

import (
	"bytes"
	"math"
)

// isNumber reports whether raw is a valid JSON number.
func isNumber(raw []byte) bool {
	_, ok := parseDecimal(raw)
	return ok
}

// isNumberByte reports whether a number can contain c.
func isNumberByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// decimal is a number: whole.fraction times ten to the power of exponent. whole
// and fraction are digits.
type decimal struct {
	negative        bool
	whole, fraction []byte
	exponent        int64
}

// maxExponent limits the absolute value of an exponent. No document is long
// enough for digits that make up for that many zeros.
const maxExponent = 1 << 56

// parseDecimal parses a JSON number. It returns false if raw is not one.
func parseDecimal(raw []byte) (d decimal, ok bool) {
	if len(raw) > 0 && raw[0] == '-' {
		d.negative, raw = true, raw[1:]
	}
	d.whole, raw = cutDigits(raw)
	if len(d.whole) == 0 || len(d.whole) > 1 && d.whole[0] == '0' {
		return d, false
	}
	if len(raw) > 0 && raw[0] == '.' {
		d.fraction, raw = cutDigits(raw[1:])
		if len(d.fraction) == 0 {
			return d, false
		}
	}
	if len(raw) == 0 {
		return d, true
	}
	if raw[0] != 'e' && raw[0] != 'E' {
		return d, false
	}
	raw = raw[1:]
	minus := len(raw) > 0 && raw[0] == '-'
	if minus || len(raw) > 0 && raw[0] == '+' {
		raw = raw[1:]
	}
	power, rest := cutDigits(raw)
	for _, c := range power {
		d.exponent = min(d.exponent*10+int64(c-'0'), maxExponent)
	}
	if minus {
		d.exponent = -d.exponent
	}
	return d, len(power) > 0 && len(rest) == 0
}

// cutDigits splits raw after the digits at its beginning.
func cutDigits(raw []byte) (digits, rest []byte) {
	n := 0
	for n < len(raw) && '0' <= raw[n] && raw[n] <= '9' {
		n++
	}
	return raw[:n], raw[n:]
}

// integer decodes a number to its absolute value and its sign. It returns false
// if the number is not an integer, or its absolute value overflows a uint64.
func integer(raw []byte) (n uint64, negative, ok bool) {
	if n, ok := fewDigits(raw); ok {
		return n, false, true
	}
	d, ok := parseDecimal(raw)
	if !ok {
		return 0, false, false
	}
	n, ok = d.integer()
	return n, d.negative, ok
}

// fewDigits is a fast path of integer for most numbers: at most 18 digits, which
// cannot overflow, and nothing else. It returns false for any other number.
func fewDigits(raw []byte) (n uint64, ok bool) {
	if len(raw) == 0 || len(raw) > 18 || raw[0] == '0' && len(raw) > 1 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// integer returns the absolute value of d. It returns false if d is not an
// integer, or its absolute value overflows a uint64.
func (d decimal) integer() (uint64, bool) {
	// The digits without trailing zeros, times a power of ten, are the number.
	// It is an integer if that power is not negative.
	whole, fraction := d.whole, bytes.TrimRight(d.fraction, "0")
	power := d.exponent - int64(len(fraction))
	if len(fraction) == 0 {
		whole = bytes.TrimRight(whole, "0")
		power += int64(len(d.whole) - len(whole))
	}
	var n uint64
	for _, part := range [...][]byte{whole, fraction} {
		for _, c := range part {
			digit := uint64(c - '0')
			if n > (math.MaxUint64-digit)/10 {
				return 0, false
			}
			n = n*10 + digit
		}
	}
	if n == 0 {
		return 0, true
	}
	if power < 0 {
		return 0, false
	}
	for ; power > 0; power-- {
		if n > math.MaxUint64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}
