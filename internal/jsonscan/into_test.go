package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

type (
	namedInt8    int8
	namedUint64  uint64
	namedFloat32 float32
	namedString  string
	namedBool    bool
	namedNumber  json.Number

	// These decode themselves. Of forgetful, the method has a value receiver.
	upper     string
	inches    float64
	forgetful struct{ _ *string }
)

func (u *upper) UnmarshalText(text []byte) error {
	*u = upper(strings.ToUpper(string(text)))
	return nil
}

func (i *inches) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(strings.Trim(string(raw), `"`), "in"), 64)
	*i = inches(n)
	return err
}

func (forgetful) UnmarshalJSON([]byte) error { return nil }

// decoders are the types that FuzzDecode decodes into.
var decoders = []struct {
	name  string
	check func(raw []byte) error
}{
	{"int", checkDecoder[int]},
	{"int8", checkDecoder[int8]},
	{"int16", checkDecoder[int16]},
	{"int32", checkDecoder[int32]},
	{"int64", checkDecoder[int64]},
	{"uint", checkDecoder[uint]},
	{"uint8", checkDecoder[uint8]},
	{"uint16", checkDecoder[uint16]},
	{"uint32", checkDecoder[uint32]},
	{"uint64", checkDecoder[uint64]},
	{"uintptr", checkDecoder[uintptr]},
	{"float32", checkDecoder[float32]},
	{"float64", checkDecoder[float64]},
	{"string", checkDecoder[string]},
	{"bool", checkDecoder[bool]},
	{"json.Number", checkDecoder[json.Number]},

	{"named int8", checkDecoder[namedInt8]},
	{"named uint64", checkDecoder[namedUint64]},
	{"named float32", checkDecoder[namedFloat32]},
	{"named string", checkDecoder[namedString]},
	{"named bool", checkDecoder[namedBool]},
	{"named json.Number", checkDecoder[namedNumber]},
	{"time.Duration", checkDecoder[time.Duration]},

	{"*int8", checkDecoder[*int8]},
	{"**named uint64", checkDecoder[**namedUint64]},
	{"*named int8", checkDecoder[*namedInt8]},
	{"*string", checkDecoder[*string]},
	{"*json.Number", checkDecoder[*json.Number]},

	{"UnmarshalText", checkDecoder[upper]},
	{"UnmarshalText, pointer", checkDecoder[*upper]},
	{"UnmarshalText, struct", checkDecoder[netip.Addr]},
	{"UnmarshalJSON", checkDecoder[inches]},
	{"UnmarshalJSON, pointer", checkDecoder[*inches]},
	{"UnmarshalJSON, value", checkDecoder[forgetful]},
	{"time.Time", checkDecoder[time.Time]},
	{"json.RawMessage", checkDecoder[json.RawMessage]},

	{"any", checkDecoder[any]},
	{"error", checkDecoder[error]},
	{"[]int8", checkDecoder[[]int8]},
	{"[]byte", checkDecoder[[]byte]},
	{"[2]string", checkDecoder[[2]string]},
	{"map", checkDecoder[map[string]float32]},
	{"struct", checkDecoder[struct{ A uint8 }]},
	{"*struct", checkDecoder[*struct{ A *uint8 }]},
	{"complex128", checkDecoder[complex128]},
	{"chan", checkDecoder[chan int]},
	{"func", checkDecoder[func()]},
}

// checkDecoder compares DecoderFor[T] with encoding/json. If T is a number, that
// gets an equal number in the form that it accepts.
func checkDecoder[T any](raw []byte) error {
	if bytes.Equal(raw, []byte("null")) || len(bytes.TrimSpace(raw)) < len(raw) {
		return nil // no Scanner finds a value with space, and null is never decoded
	}
	plain, ok := plainFor(reflect.TypeFor[T](), raw)
	if !ok {
		return nil
	}
	decode, _ := DecoderFor[T]()
	var want T
	err := json.Unmarshal(plain, &want)
	switch got, ok := decode(raw); {
	case ok != (err == nil):
		return fmt.Errorf("%q: got %v %v, want %v, %v", raw, got, ok, want, err)
	case ok && !reflect.DeepEqual(got, want):
		return fmt.Errorf("%q: got %#v, want %#v", raw, got, want)
	}
	return nil
}

// plainFor returns raw in the form in which encoding/json accepts it for a t: an
// integer without fraction and exponent, not in a string. It returns false if
// such a number is too long.
func plainFor(t reflect.Type, raw []byte) ([]byte, bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	integer := reflect.Int <= t.Kind() && t.Kind() <= reflect.Uintptr
	if t == reflect.TypeFor[inches]() || !integer && t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64 {
		return raw, true
	}
	number := raw
	var text string
	if json.Unmarshal(raw, &text) == nil {
		number = []byte(text)
	}
	if !json.Valid(number) || !bytes.Contains([]byte("-0123456789"), number[:1]) || len(bytes.TrimSpace(number)) < len(number) {
		return raw, true
	}
	if !integer {
		return number, true
	}
	if _, exponent, _ := strings.Cut(strings.ToLower(string(number)), "e"); len(exponent) > 4 {
		return nil, false
	}
	if exact, ok := new(big.Rat).SetString(string(number)); ok && exact.IsInt() {
		return []byte(exact.Num().String()), true
	}
	return number, true
}

func TestDecoders(t *testing.T) {
	for _, d := range decoders {
		t.Run(d.name, func(t *testing.T) {
			for _, v := range values {
				if err := d.check([]byte(v.raw)); err != nil {
					t.Errorf("%s: %v", v.name, err)
				}
			}
			for _, raw := range []string{
				`127`, `128`, `-128`, `-129`, `255`, `256`, `300`, `-1`, `32767`, `32768`, `-32769`, `65535`, `65536`,
				`2147483647`, `2147483648`, `-2147483648`, `-2147483649`, `4294967295`, `4294967296`,
				`18446744073709551615`, `18446744073709551616`, `-18446744073709551615`, `-18446744073709551360`,
				`18446744073709551615.000`, `1844674407370955161.5e1`, `"18446744073709551615"`, `184467440737095516150`,
				`9223372036854775808e0`, `1e19`, `2e19`, `5e19`, `18e18`, `-9223372036854775808`, `-9223372036854775809`, `-0`, `-0.0`, `"-0"`, `-0e5`,
				`3.4028234663852886e38`, `3.4028235677973366e38`, `3.40282356779733661637539395458142568447e38`,
				`3.5e38`, `-3.5e38`, `1e39`, `1e308`, `1.8e308`, `1e400`, `-1e400`, `1e-46`, `1e-400`,
				`1.00000005960464477539062501`, `16777217.0000000001`, // two roundings are not one
				`"ab"`, `"AQID"`, `"1.50"`, `"12in"`, `12`, `"192.0.2.1"`, `"2026-01-02T03:04:05Z"`,
				`[1,2]`, `[300]`, `["a","b"]`, `["a"`, `{"a":1}`, `{"A":256}`, `{"a":1,}`, `{"x":1e39}`, `{"x":1e38}`,
				`truE`, `tru`, `nul`,
			} {
				if err := d.check([]byte(raw)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestDecoders covers all of this. Here are the cases that matter most, by name.
func TestDecoderFor(t *testing.T) {
	for _, tc := range []struct {
		name   string
		decode func(raw string) string
		raw    string
		want   string
	}{
		{"uint64 above MaxInt64", decodeAs[uint64], "18446744073709551615", "18446744073709551615"},
		{"uint64, by value", decodeAs[uint64], "1.8446744073709551615e19", "18446744073709551615"},
		{"uint64, too large", decodeAs[uint64], "18446744073709551616", none},
		{"uint64, negative", decodeAs[uint64], "-1", none},
		{"uint, negative zero", decodeAs[uint], "-0", "0"},
		{"uintptr, by value", decodeAs[uintptr], "1e3", "1000"},
		{"int8, too large", decodeAs[int8], "300", none},
		{"int8, smallest", decodeAs[int8], "-128", "-128"},
		{"int, zero with a fraction", decodeAs[int], "0.0", "0"},
		{"int, in a string", decodeAs[int], `"0"`, "0"},
		{"int, not integral", decodeAs[int], "0.5", none},
		{"int, huge exponent", decodeAs[int], "1e999999999999", none},
		{"int, tiny exponent", decodeAs[int], "1e-999999999999", none},
		{"int, zero with a huge exponent", decodeAs[int], "0e999999999999", "0"},
		{"float32, rounded once", decodeAs[float32], "1.00000005960464477539062501", "1.0000001"},
		{"float32, largest when rounded", decodeAs[float32], "3.4028235677973366e38", "3.4028235e+38"},
		{"float32, too large", decodeAs[float32], "3.5e38", none},
		{"float64, too large", decodeAs[float64], "1e400", none},
		{"float64, too small", decodeAs[float64], "1e-400", "0"},
		{"float64, in a string", decodeAs[float64], `"1.5"`, "1.5"},
		{"named, in a string", decodeAs[namedInt8], `"7"`, "7"},
		{"named, too large", decodeAs[namedInt8], "128", none},
		{"own text", decodeAs[upper], `"ab"`, "AB"},
		{"own text, not a string", decodeAs[upper], "1", none},
		{"own JSON", decodeAs[inches], `"12in"`, "12"},
		{"any", decodeAs[any], "[1.0]", "[1]"},
		{"struct", decodeAs[struct{ A int }], `{"a":1}`, "{1}"},
		{"in a struct, encoding/json decides", decodeAs[struct{ A int }], `{"a":"1"}`, none},
	} {
		if got := tc.decode(tc.raw); got != tc.want {
			t.Errorf("%s: %s: got %q, want %q", tc.name, tc.raw, got, tc.want)
		}
	}
	decode, _ := DecoderFor[*int]()
	if p, ok := decode([]byte(`"5.0"`)); !ok || *p != 5 {
		t.Errorf("pointer: got %v %v, want 5", p, ok)
	}
	if p, ok := decode([]byte(`"5.5"`)); ok || p != nil {
		t.Errorf("pointer: got %v %v, want none", p, ok)
	}
	type endless *endless
	DecoderFor[endless]()
}

func decodeAs[T any](raw string) string {
	decode, _ := DecoderFor[T]()
	v, ok := decode([]byte(raw))
	if !ok {
		return none
	}
	return fmt.Sprint(v)
}

func TestDecoderForAllocatesNothing(t *testing.T) {
	decode, _ := DecoderFor[int]()
	raw := []byte("5000")
	if n := testing.AllocsPerRun(100, func() { decode(raw) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
