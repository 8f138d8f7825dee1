package jsonscan

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// none means that a value is not decoded.
const none = "-"

// values are raw values, with the result of the function that each of the other
// columns is named after. They are also the seeds of FuzzDecode.
var values = []struct {
	name, raw                            string
	Int, Float, Number, String, BoolText string
}{
	{"zero", "0", "0", "0", "0", none, none},
	{"integer", "5000", "5000", "5000", "5000", none, none},
	{"negative", "-7", "-7", "-7", "-7", none, none},
	{"negative zero", "-0", "0", "-0", "-0", none, none},
	{"zero with a fraction", "0.0", "0", "0", "0.0", none, none},
	{"integer with a fraction", "12.500e1", "125", "125", "12.500e1", none, none},
	{"integer with an exponent", "1e3", "1000", "1000", "1e3", none, none},
	{"capital exponent", "1E+3", "1000", "1000", "1E+3", none, none},
	{"integer with a negative exponent", "120000e-4", "12", "12", "120000e-4", none, none},
	{"below one", "0.5e1", "5", "5", "0.5e1", none, none},
	{"zero with any exponent", "0.00e999999999999999999999", "0", "0", "0.00e999999999999999999999", none, none},
	{"not integral", "1.5", none, "1.5", "1.5", none, none},
	{"not integral, exponent", "1e-1", none, "0.1", "1e-1", none, none},
	{"vanishing", "1e-999999999999999999999", none, "0", "1e-999999999999999999999", none, none},
	{"beyond float64", "1e999999999999999999999", none, none, "1e999999999999999999999", none, none},
	{"largest", "9223372036854775807", "9223372036854775807", "9.223372036854776e+18", "9223372036854775807", none, none},
	{"largest, spelt otherwise", "9223372036854775807000.0e-3", "9223372036854775807", "9.223372036854776e+18", "9223372036854775807000.0e-3", none, none},
	{"beyond the largest", "9223372036854775808", none, "9.223372036854776e+18", "9223372036854775808", none, none},
	{"smallest", "-9223372036854775808", "-9223372036854775808", "-9.223372036854776e+18", "-9223372036854775808", none, none},
	{"beyond the smallest", "-9223372036854775809", none, "-9.223372036854776e+18", "-9223372036854775809", none, none},
	{"far beyond", "1e19", none, "1e+19", "1e19", none, none},

	{"zero in a string", `"0"`, "0", "0", "0", "0", none},
	{"number in a string", `"1e3"`, "1000", "1000", "1e3", "1e3", none},
	{"escaped number in a string", `"\u0031\u0032"`, "12", "12", "12", "12", none},
	{"space in a string", `" 1"`, none, none, none, " 1", none},
	{"sign in a string", `"+1"`, none, none, none, "+1", none},
	{"hex in a string", `"0x10"`, none, none, none, "0x10", none},
	{"infinity in a string", `"Inf"`, none, none, none, "Inf", none},
	{"string in a string", `"\"1\""`, none, none, none, `"1"`, none},
	{"empty string", `""`, none, none, none, "", none},

	{"leading zero", "01", none, none, none, none, none},
	{"no digits", "-", none, none, none, none, none},
	{"no fraction", "1.", none, none, none, none, none},
	{"no whole", ".1", none, none, none, none, none},
	{"no exponent", "1e", none, none, none, none, none},
	{"no exponent after the sign", "1e-", none, none, none, none, none},
	{"more after the number", "1 ", none, none, none, none, none},
	{"two points", "1.2.3", none, none, none, none, none},
	{"nothing", "", none, none, none, none, none},

	{"true", "true", none, none, none, none, "true"},
	{"false", "false", none, none, none, none, "false"},
	{"null", "null", none, none, none, none, none},
	{"true in a string", `"true"`, none, none, none, "true", none},
	{"object", "{}", none, none, none, none, none},
	{"array", "[1]", none, none, none, none, none},

	{"escapes", `"\"\\\/\b\f\n\r\t\u00e4"`, none, none, none, "\"\\/\b\f\n\r\tä", none},
	{"pair", `"\ud83d\ude00😀"`, none, none, none, "😀😀", none},
	{"lone surrogates", `"\ud83d\ud83d\ude00\ude00x\ud83d"`, none, none, none, "\uFFFD😀\uFFFDx\uFFFD", none},
	{"not UTF-8", "\"a\xff\xe2\x82\"", none, none, none, "a\uFFFD\uFFFD\uFFFD", none},
	{"plain, then escape", `"abc\n"`, none, none, none, "abc\n", none},
	{"open string", `"a`, none, none, none, none, none},
	{"one quote", `"`, none, none, none, none, none},
	{"closing quote is escaped", `"a\"`, none, none, none, none, none},
	{"quote inside", `"a"b"`, none, none, none, none, none},
	{"control", "\"\n\"", none, none, none, none, none},
	{"unknown escape", `"\'"`, none, none, none, none, none},
	{"cut hex escape", `"\u12"`, none, none, none, none, none},
	{"bad hex escape", `"\u12x4"`, none, none, none, none, none},
}

func TestDecode(t *testing.T) {
	for _, v := range values {
		t.Run(v.name, func(t *testing.T) {
			raw := []byte(v.raw)
			check := func(name, want string, got any, ok bool) {
				t.Helper()
				text := fmt.Sprint(got)
				if !ok {
					text = none
				}
				if text != want {
					t.Errorf("%s(%q): got %q, want %q", name, raw, text, want)
				}
			}
			n, ok := Int[int64](raw)
			check("Int", v.Int, n, ok)
			f, ok := Float[float64](raw)
			check("Float", v.Float, f, ok)
			number, ok := Number(raw)
			check("Number", v.Number, number, ok)
			s, ok := String(raw)
			check("String", v.String, s, ok)
			b, ok := Bool(raw)
			check("Bool", v.BoolText, b, ok)
			if string(raw) != v.raw {
				t.Errorf("raw value changed to %q", raw)
			}
		})
	}
}

// Large exponents and many digits take neither time nor memory.
func TestIntOfLongNumbers(t *testing.T) {
	zeros := strings.Repeat("0", 1<<20)
	for _, raw := range []string{"1" + zeros + "e-1048576", "0." + zeros + "1e1048577", "1." + zeros} {
		if n, ok := Int[int64]([]byte(raw)); n != 1 || !ok {
			t.Errorf("%.5s…: got %d %v, want 1", raw, n, ok)
		}
	}
	if n, ok := Int[int64]([]byte("1" + zeros)); ok {
		t.Errorf("got %d, want none", n)
	}
	if f, ok := Float[float64]([]byte("-0")); !ok || !math.Signbit(f) {
		t.Errorf("got %v, want -0", f)
	}
}
