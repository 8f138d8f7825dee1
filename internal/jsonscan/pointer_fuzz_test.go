package jsonscan

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var indexSyntax = regexp.MustCompile(`\A(0|[1-9][0-9]*)\z`)

// FuzzPointer compares the steps of a pointer with RFC 6901's grammar, and the
// keys that equal them with what encoding/json decodes.
func FuzzPointer(f *testing.F) {
	for _, pointer := range []string{"", "/", "//a/", "/0", "/120", "/01", "/-", "/-1", "/9223372036854775807",
		"/9223372036854775808", "/a~1b", "/~01", "/~10", "/~0~0", "a", "/a~", "/~2", "/\xff", "/ä"} {
		f.Add(pointer, []byte(`a\/b`))
		f.Add(pointer, []byte(`\u00e4`))
	}
	f.Add("/\U0001F600", []byte(`\ud83d\ude00`))
	f.Add("/\uFFFD", []byte(`\ud83d`))
	f.Add(`/a"b`, []byte(`a\"b`))
	f.Fuzz(func(t *testing.T, pointer string, key []byte) {
		p, err := Parse(pointer)
		if want := utf8.ValidString(pointer) && pointerSyntax.MatchString(pointer); (err == nil) != want {
			t.Fatalf("Parse(%q): got %v, want valid %v", pointer, err, want)
		}
		if err != nil {
			return
		}
		want := referenceSteps(pointer)
		if len(p.steps) != len(want) {
			t.Fatalf("Parse(%q): got %v, want %q", pointer, p.steps, want)
		}
		for i := range p.steps {
			checkStep(t, &p.steps[i], want[i], key)
		}
	})
}

func checkStep(t *testing.T, s *step, name string, key []byte) {
	index := notAnIndex
	if n, ok := new(big.Int).SetString(name, 10); ok && indexSyntax.MatchString(name) && n.IsInt64() && n.Int64() <= math.MaxInt {
		index = int(n.Int64())
	}
	if s.name != name || s.index != index {
		t.Fatalf("got %v, want %q %d", *s, name, index)
	}
	// The key given, and the name itself in two spellings.
	plain, _ := json.Marshal(name)
	var escaped strings.Builder
	for _, c := range name {
		escaped.WriteString(escape(c))
	}
	for _, raw := range [][]byte{key, plain[1 : len(plain)-1], []byte(escaped.String())} {
		var decoded string
		if json.Unmarshal([]byte(`"`+string(raw)+`"`), &decoded) != nil {
			continue // such a document is invalid
		}
		if got := s.equals(raw); got != (decoded == name) {
			t.Fatalf("key %q: got %v, and it means %q; the name is %q", raw, got, decoded, name)
		}
		first := append(raw, '"')[0]
		if decoded == name && (len(raw) > s.maxKeyLength() || s.cannotBegin(first)) {
			t.Fatalf("key %q of %q: longer than %d, or begins otherwise", raw, name, s.maxKeyLength())
		}
	}
}

// escape writes a character as \u and four digits, or two of these.
func escape(c rune) string {
	const digits = "0123456789abcdef"
	unit := func(u rune) string {
		return string([]byte{'\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15]})
	}
	if c < 0x10000 {
		return unit(c)
	}
	c -= 0x10000
	return unit(0xd800+c>>10) + unit(0xdc00+c&0x3ff)
}
