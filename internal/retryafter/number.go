package retryafter

import (
	"math"
	"math/bits"
	"strings"
	"time"
)

// Number parses a decimal number of units, with or without a fraction. It refuses signs,
// exponents, hexadecimal digits, words, and a number without digits before the point.
func Number(v string, unit time.Duration) (time.Duration, bool) {
	n, rest, ok := digits(v)
	if !ok || rest != "" {
		return 0, false
	}
	return ceil(n.times(unit)), true
}

// Span parses a duration as Go prints it: 1s, 20ms, 6m0s, 1h2m3.5s. OpenAI and Groq send
// such durations. A sign is refused.
func Span(v string) (time.Duration, bool) {
	if v == "" {
		return 0, false
	}
	sum := time.Duration(0)
	for v != "" {
		n, rest, ok := digits(v)
		if !ok {
			return 0, false
		}
		unit, rest := unitOf(rest)
		if unit == 0 {
			return 0, false
		}
		sum, v = add(sum, n.times(unit)), rest
	}
	return ceil(sum), true
}

// unitOf returns the unit at the start of v, or zero if there is none.
func unitOf(v string) (unit time.Duration, rest string) {
	for _, u := range [...]struct {
		name string
		unit time.Duration
	}{
		{"ms", time.Millisecond}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
		{"µs", time.Microsecond}, {"μs", time.Microsecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
	} {
		if rest, ok := strings.CutPrefix(v, u.name); ok {
			return u.unit, rest
		}
	}
	return 0, v
}

// number is the result of digits: whole + fraction/scale. more means that the real number
// is slightly larger, because its fraction has more digits than fit.
type number struct {
	whole, fraction, scale uint64
	more                   bool
}

// digits parses the number at the start of v. If it is too large, whole is the largest
// uint64.
func digits(v string) (n number, rest string, ok bool) {
	n.scale = 1
	i := 0
	for ; i < len(v) && isDigit(v[i]); i++ {
		n.whole = shift(n.whole, v[i])
	}
	if i == 0 {
		return n, v, false
	}
	if i == len(v) || v[i] != '.' {
		return n, v[i:], true
	}
	for i++; i < len(v) && isDigit(v[i]); i++ {
		if n.scale < 1e18 {
			n.fraction, n.scale = shift(n.fraction, v[i]), n.scale*10
		} else {
			n.more = n.more || v[i] != '0'
		}
	}
	return n, v[i:], true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// shift appends a digit to n. If that overflows, it returns the largest uint64.
func shift(n uint64, digit byte) uint64 {
	high, n := bits.Mul64(n, 10)
	n, carry := bits.Add64(n, uint64(digit-'0'), 0)
	if high != 0 || carry != 0 {
		return math.MaxUint64
	}
	return n
}

// times returns n units, rounded up to the nanosecond. The unit is positive.
func (n number) times(unit time.Duration) time.Duration {
	high, low := bits.Mul64(n.fraction, uint64(unit))
	part, rest := bits.Div64(high, low, n.scale) // high < scale, since fraction < scale
	if rest != 0 || n.more {
		part++
	}
	high, whole := bits.Mul64(n.whole, uint64(unit))
	if high != 0 || whole > math.MaxInt64 {
		return math.MaxInt64
	}
	return add(time.Duration(whole), time.Duration(part))
}

// add returns the sum of two durations, neither of which may be negative. If it overflows,
// add returns the longest Duration.
func add(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// ceil rounds d, which is not negative, up to whole milliseconds.
func ceil(d time.Duration) time.Duration {
	if rest := d % time.Millisecond; rest != 0 {
		d = add(d, time.Millisecond-rest)
	}
	return d
}
