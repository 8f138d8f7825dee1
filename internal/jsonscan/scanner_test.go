package jsonscan

import (
	"strings"
	"testing"
)

// document is a document, a pointer, and the result of looking it up.
type document struct {
	name, pointer, json string
	status              Status
	value               string
}

// documents are also the seeds of FuzzLookup.
var documents = []document{
	{"whole document, number", "", "12", Found, "12"},
	{"whole document, number and space", "", " 12 ", Found, "12"},
	{"whole document, string", "", `"x"`, Found, `"x"`},
	{"whole document, object", "", `{"a":1}`, Found, `{`},
	{"whole document, literal", "", "null", Found, "null"},
	{"nothing", "", "", Invalid, ""},
	{"only space", "", " \n\r\t", Invalid, ""},

	{"integer", "/ret_code", `{"ret_code":5000}`, Found, "5000"},
	{"negative", "/a", `{"a":-0.5e+10}`, Found, "-0.5e+10"},
	{"string", "/a", `{"a":"x"}`, Found, `"x"`},
	{"empty string", "/a", `{"a":""}`, Found, `""`},
	{"true", "/a", `{"a":true}`, Found, "true"},
	{"false", "/a", `{"a":false}`, Found, "false"},
	{"null", "/a", `{"a":null}`, Found, "null"},
	{"object", "/a", `{"a":{"b":1}}`, Found, "{"},
	{"array", "/a", `{"a":[1]}`, Found, "["},
	{"space everywhere", "/a/1", " {\n\"z\" : [ 1 , { } ] ,\t\"a\" : [ 1 , 2 ] } ", Found, "2"},

	{"deeper", "/a/b/c", `{"a":{"b":{"c":7}}}`, Found, "7"},
	{"after others", "/b", `{"a":1,"c":"x","d":{"b":2},"e":[3,{"b":4}],"b":5}`, Found, "5"},
	{"not in a skipped object", "/b", `{"a":{"b":2}}`, Absent, ""},
	{"not in a skipped string", "/b", `{"a":"\"b\":2,"}`, Absent, ""},
	{"brackets in a skipped string", "/b", `{"a":["}]{[","\\"],"b":1}`, Found, "1"},
	{"backslashes before quotes", "/b", `{"a":"\\\\\"\\\\","b":1}`, Found, "1"},
	{"long skipped string", "/b", `{"a":"` + strings.Repeat(`a\"`, 50) + `","b":1}`, Found, "1"},

	{"absent", "/b", `{"a":1}`, Absent, ""},
	{"absent in empty object", "/a", `{}`, Absent, ""},
	{"absent in the middle", "/a/b", `{"a":{"c":1},"b":2}`, Absent, ""},
	{"case matters", "/a", `{"A":1}`, Absent, ""},
	{"key is longer", "/a", `{"aa":1}`, Absent, ""},
	{"key is shorter", "/aa", `{"a":1}`, Absent, ""},
	{"through a scalar", "/a/b", `{"a":1}`, Absent, ""},
	{"through a string", "/a/b", `{"a":"b"}`, Absent, ""},
	{"through null", "/a/b", `{"a":null}`, Absent, ""},
	{"scalar document", "/a", `1`, Absent, ""},

	{"first duplicate decides", "/a", `{"a":1,"a":2}`, Found, "1"},
	{"first duplicate decides above", "/a/b", `{"a":{},"a":{"b":1}}`, Absent, ""},
	{"first duplicate decides, scalar", "/a/b", `{"a":1,"a":{"b":1}}`, Absent, ""},
	{"first duplicate decides, spelt otherwise", "/a", `{"\u0061":1,"a":2}`, Found, "1"},

	{"element 0", "/0", `[1,2]`, Found, "1"},
	{"element 1", "/1", `[1,2]`, Found, "2"},
	{"element after containers", "/3", `[[1,2],{"a":[3,4]},"5,6",7]`, Found, "7"},
	{"element of element", "/1/1", `[[1,2],[3,4]]`, Found, "4"},
	{"member of element", "/1/a", `[{"a":1},{"a":2}]`, Found, "2"},
	{"element 12", "/12", `[0,1,2,3,4,5,6,7,8,9,10,11,"x"]`, Found, `"x"`},
	{"past the end", "/2", `[1,2]`, Absent, ""},
	{"empty array", "/0", `[ ]`, Absent, ""},
	{"empty array, element 1", "/1", `[]`, Absent, ""},
	{"leading zero", "/01", `[1,2]`, Absent, ""},
	{"minus", "/-", `[1,2]`, Absent, ""},
	{"sign", "/+1", `[1,2]`, Absent, ""},
	{"no index", "/a", `[1,2]`, Absent, ""},
	{"empty step and array", "/", `[1,2]`, Absent, ""},
	{"beyond any array", "/99999999999999999999", `[1,2]`, Absent, ""},
	{"index as a key", "/01", `{"01":1}`, Found, "1"},

	{"empty key", "/", `{"a":0,"":1}`, Found, "1"},
	{"two empty keys", "//", `{"":{"":1}}`, Found, "1"},
	{"slash in a key", "/a~1b", `{"a/b":1}`, Found, "1"},
	{"escaped slash in a key", "/a~1b", `{"a\/b":1}`, Found, "1"},
	{"tilde in a key", "/a~0b", `{"a~b":1}`, Found, "1"},
	{"tilde and one in a key", "/~01", `{"~1":1}`, Found, "1"},
	{"quote in a key", `/a"b`, `{"a\"b":1}`, Found, "1"},
	{"backslash in a key", `/a\b`, `{"a\\b":1}`, Found, "1"},
	{"control in a key", "/\b\f\n\r\t", `{"\b\f\n\r\t":1}`, Found, "1"},
	{"no escape in a pointer", `/a\n`, `{"a\n":1}`, Absent, ""},
	{"hex escape", "/ret_code", `{"\u0072et\u005fcod\u0065":1}`, Found, "1"},
	{"NUL", "/\x00", `{"\u0000":1}`, Found, "1"},
	{"umlaut", "/ä", `{"ä":1}`, Found, "1"},
	{"umlaut, hex", "/ä", `{"\u00E4":1}`, Found, "1"},
	{"surrogate pair", "/😀", `{"\ud83d\ude00":1}`, Found, "1"},
	{"surrogate pair, as it is", "/😀", `{"😀":1}`, Found, "1"},
	{"lone high surrogate", "/\uFFFD", `{"\ud83d":1}`, Found, "1"},
	{"lone low surrogate", "/\uFFFD", `{"\ude00":1}`, Found, "1"},
	{"high surrogate and a letter", "/\uFFFDa", `{"\ud83d\u0061":1}`, Found, "1"},
	{"high surrogate and a pair", "/\uFFFD😀", `{"\ud83d\ud83d\ude00":1}`, Found, "1"},
	{"low surrogate and a high one", "/\uFFFD\uFFFD", `{"\ude00\ud83d":1}`, Found, "1"},
	{"byte that is not UTF-8", "/a\uFFFDb", "{\"a\xffb\":1}", Found, "1"},
	{"cut UTF-8 sequence", "/\uFFFD\uFFFD", "{\"\xe2\x82\":1}", Found, "1"},
	{"cut UTF-8 sequence and a letter", "/\uFFFD\uFFFDx", "{\"\xe2\x82x\":1}", Found, "1"},
	{"replacement character, as it is", "/\uFFFD", "{\"\uFFFD\":1}", Found, "1"},
	{"value that is not UTF-8", "/a", "{\"a\":\"\xff\"}", Found, "\"\xff\""},

	{"second document does not count", "/b", `{"a":1}{"b":2}`, Absent, ""},
	{"events, one per line", "/a", "{\"a\":1}\n{\"a\":2}\n", Found, "1"},

	{"truncated before", "/b", `{"a":1,`, Invalid, ""},
	{"truncated in a key", "/bb", `{"b`, Invalid, ""},
	{"truncated in the value", "/a", `{"a":1`, Invalid, ""},
	{"truncated in a string", "/a", `{"a":"\`, Invalid, ""},
	{"truncated in a literal", "/a", `{"a":tru`, Invalid, ""},
	{"not JSON", "/a", `<html>`, Invalid, ""},
	{"byte order mark", "/a", "\uFEFF{\"a\":1}", Invalid, ""},
	{"no colon", "/a", `{"a" 1}`, Invalid, ""},
	{"no value", "/a", `{"a":}`, Invalid, ""},
	{"no key", "/a", `{1:2}`, Invalid, ""},
	{"no container", "/a/b", `{"a":x}`, Invalid, ""},
	{"bad number", "/a", `{"a":01}`, Invalid, ""},
	{"bad number at the end", "", `1e`, Invalid, ""},
	{"bad end of a number", "/a", `{"a":1x}`, Invalid, ""},
	{"bad literal", "/a", `{"a":nul}`, Invalid, ""},
	{"bad escape", "/a", `{"a":"\x"}`, Invalid, ""},
	{"bad hex escape", "/a", `{"a":"\u12g4"}`, Invalid, ""},
	{"control in a string", "/a", "{\"a\":\"\n\"}", Invalid, ""},
}

func TestScanner(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			p := mustParse(t, d.pointer)
			for _, size := range []int{len(d.json) + 1, 1, 2, 3, 7} {
				status, value := lookup(p, Options{}, d.json, size)
				if status != d.status || value != d.value {
					t.Errorf("in pieces of %d: got %v %q, want %v %q", size, status, value, d.status, d.value)
				}
			}
		})
	}
}

// Each document ends with the byte that makes the result certain.
func TestScannerDecidesEarly(t *testing.T) {
	for _, d := range []document{
		{"string", "/a", `{"a":"x"`, Found, `"x"`},
		{"literal", "/a", `{"a":true`, Found, `true`},
		{"number", "/a", `{"a":12,`, Found, `12`},
		{"number and space", "/a", `{"a":12 `, Found, `12`},
		{"number in an array", "/0", `[12]`, Found, `12`},
		{"object", "/a", `{"a":{`, Found, `{`},
		{"array", "", `[`, Found, `[`},
		{"end of the object", "/b", `{"a":{"b":1}}`, Absent, ""},
		{"end of an object on the way", "/a/b", `{"a":{"c":1}`, Absent, ""},
		{"end of the array", "/2", `[1,[2,3]]`, Absent, ""},
		{"end of an empty array", "/0", `[]`, Absent, ""},
		{"no index", "/a", `[`, Absent, ""},
		{"string on the way", "/a/b", `{"a":"`, Absent, ""},
		{"number on the way", "/a/b", `{"a":1`, Absent, ""},
		{"literal on the way", "/a/b", `{"a":n`, Absent, ""},
		{"not JSON", "/a", `<`, Invalid, ""},
		{"not the literal", "", `nux`, Invalid, ""},
	} {
		t.Run(d.name, func(t *testing.T) {
			var s Scanner
			s.Reset(mustParse(t, d.pointer), Options{})
			for i := range len(d.json) - 1 {
				if got := s.Scan([]byte{d.json[i]}); got != More {
					t.Fatalf("after %q: got %v, want More", d.json[:i+1], got)
				}
			}
			got := s.Scan([]byte{d.json[len(d.json)-1]})
			if got != d.status || string(s.Value()) != d.value {
				t.Errorf("got %v %q, want %v %q", got, s.Value(), d.status, d.value)
			}
			if s.Scan([]byte(`{"a":3}`)) != got || s.End() != got {
				t.Errorf("%v was not final", got)
			}
		})
	}
}

func TestScannerOptions(t *testing.T) {
	long := `"` + strings.Repeat("x", DefaultMaxValue) + `"`
	for _, tc := range []struct {
		name, pointer, json string
		options             Options
		status              Status
		value               string
	}{
		{"object", "/a", `{"a":{"b":["]}",{}]},"c":1}`, Options{0, true}, Found, `{"b":["]}",{}]}`},
		{"array", "/a", `{"a":[ 1, "\"]" ],"c":1}`, Options{0, true}, Found, `[ 1, "\"]" ]`},
		{"empty array", "/a", `{"a":[]}`, Options{0, true}, Found, `[]`},
		{"scalar", "/a", `{"a":1}`, Options{0, true}, Found, `1`},
		{"container without an end", "/a", `{"a":[1,2`, Options{0, true}, Invalid, ""},
		{"container too long", "/a", `{"a":[1,2]}`, Options{4, true}, TooLong, ""},
		{"container long enough", "/a", `{"a":[1,2]}`, Options{5, true}, Found, "[1,2]"},
		{"string too long", "/a", `{"a":"xyz"}`, Options{4, false}, TooLong, ""},
		{"string long enough", "/a", `{"a":"xyz"}`, Options{5, false}, Found, `"xyz"`},
		{"number too long", "/a", `{"a":12345}`, Options{4, false}, TooLong, ""},
		{"number long enough", "/a", `{"a":12345}`, Options{5, false}, Found, "12345"},
		{"literal too long", "/a", `{"a":null}`, Options{3, false}, TooLong, ""},
		{"nothing else is too long", "/b", `{"a":"xyz","b":1}`, Options{1, false}, Found, "1"},
		{"default", "/a", `{"a":` + long + `}`, Options{}, TooLong, ""},
		{"negative means default", "/a", `{"a":` + long + `}`, Options{-1, false}, TooLong, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := mustParse(t, tc.pointer)
			for _, size := range []int{len(tc.json), 1, 3} {
				status, value := lookup(p, tc.options, tc.json, size)
				if status != tc.status || value != tc.value {
					t.Errorf("in pieces of %d: got %v %q, want %v %q", size, status, value, tc.status, tc.value)
				}
			}
		})
	}
}

func TestScannerZeroValue(t *testing.T) {
	var s Scanner
	if got := s.Scan([]byte(`"x"`)); got != Found || string(s.Value()) != `"x"` {
		t.Errorf("got %v %q, want Found", got, s.Value())
	}
}

// mustParse parses a valid pointer.
func mustParse(t testing.TB, pointer string) Pointer {
	t.Helper()
	p, err := Parse(pointer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lookup scans doc in pieces of size bytes.
func lookup(p Pointer, o Options, doc string, size int) (Status, string) {
	var s Scanner
	s.Reset(p, o)
	for rest := []byte(doc); len(rest) > 0; {
		n := min(size, len(rest))
		s.Scan(rest[:n:n])
		rest = rest[n:]
	}
	status := s.End()
	return status, string(s.Value())
}
