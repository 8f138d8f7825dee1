package jsonscan

import (
	"bytes"
	"math"
)

// isNumber reports whether raw is a number by JSON's grammar.
func isNumber(raw []byte) bool {
	_, ok := split(raw)
	return ok
}

// inNumberSet reports whether c may stand in a number.
func inNumberSet(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// decimal is a number in its parts: whole and fraction are digits only, and
// the value is whole.fraction times ten to the power of exponent.
type decimal struct {
	negative        bool
	whole, fraction []byte
	exponent        int64
}

// maxExponent is where a written exponent is cut off: far beyond what any
// length of fraction could make up for, and far from overflow.
const maxExponent = 1 << 56

// split takes a number apart and reports whether it is one.
func split(raw []byte) (d decimal, ok bool) {
	if len(raw) > 0 && raw[0] == '-' {
		d.negative, raw = true, raw[1:]
	}
	d.whole, raw = digits(raw)
	if len(d.whole) == 0 || len(d.whole) > 1 && d.whole[0] == '0' {
		return d, false
	}
	if len(raw) > 0 && raw[0] == '.' {
		if d.fraction, raw = digits(raw[1:]); len(d.fraction) == 0 {
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
	power, rest := digits(raw)
	for _, c := range power {
		d.exponent = min(d.exponent*10+int64(c-'0'), maxExponent)
	}
	if minus {
		d.exponent = -d.exponent
	}
	return d, len(power) > 0 && len(rest) == 0
}

// digits cuts the digits at the beginning of raw off.
func digits(raw []byte) (run, rest []byte) {
	n := 0
	for n < len(raw) && '0' <= raw[n] && raw[n] <= '9' {
		n++
	}
	return raw[:n], raw[n:]
}

// integer returns the sign and the absolute value of the number that raw is, if
// it is integral and fits.
func integer(raw []byte) (n uint64, negative, ok bool) {
	if n, ok := fewDigits(raw); ok {
		return n, false, true
	}
	d, ok := split(raw)
	if !ok {
		return 0, false, false
	}
	n, ok = d.integer()
	return n, d.negative, ok
}

// fewDigits is integer for what most numbers are: digits alone, so few that any
// value fits.
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

// integer returns the number without its sign, if it is integral and fits.
func (d decimal) integer() (uint64, bool) {
	// Without the zeros at its end the number is an integer times a power of
	// ten, and integral itself only if that power is not negative.
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
