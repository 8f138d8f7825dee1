package jsonscan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// topDepth is the maximum depth of a random document.
const topDepth = 5

// generator writes random documents. Strings and values are short, so that they
// begin and end at every place in a word, block or piece.
type generator struct {
	*rand.Rand
	out strings.Builder
}

// pick writes one of the texts.
func (g *generator) pick(texts ...string) string {
	text := texts[g.IntN(len(texts))]
	g.out.WriteString(text)
	return text
}

// space writes white space, in most cases none.
func (g *generator) space() {
	for g.IntN(4) == 0 {
		g.pick(" ", "\n", "\t\t", "\r\n      ")
	}
}

// text writes the content of a string.
func (g *generator) text() {
	for range g.IntN(1 + g.IntN(30)) {
		g.pick("a", "b", "ab", "0", "{", "}", "[", "]", ",", ":", "y", "_", "ä", "😀", "\xff", "\xe2\x82",
			"\xa2\xac\xdb\xdc\xdd\xfb\xfd\x80\x81", // ", comma, brackets and backslash, but for the high bit
			`\"`, `\\`, `\n`, `\u0061`, `\ud83d\ude00`, `\ud83d`, "           ")
	}
}

// value writes a value and returns a pointer to something in it, if it is a
// container.
func (g *generator) value(depth int) string {
	g.space()
	defer g.space()
	kind := g.IntN(8)
	switch depth {
	case 0:
		kind %= 4
	case topDepth:
		kind |= 4
	}
	switch kind {
	case 0, 1:
		g.pick("0", "-1", "12.5e3", "123456789012345678", "true", "false", "null")
	case 2, 3:
		g.out.WriteByte('"')
		g.text()
		g.out.WriteByte('"')
	case 4, 5, 6:
		return g.object(depth)
	default:
		return g.array(depth)
	}
	return ""
}

func (g *generator) object(depth int) string {
	pointer := ""
	g.out.WriteByte('{')
	for i := range g.IntN(6) {
		if i > 0 {
			g.out.WriteByte(',')
		}
		g.space()
		g.out.WriteByte('"')
		key := g.pick("", "a", "b", "ab", "0", "1", "ä", "aaaaaaaaaaaaaaaaaaaaaa", "a\xff")
		if g.IntN(4) == 0 {
			g.text()
		}
		g.out.WriteByte('"')
		g.space()
		g.out.WriteByte(':')
		if below := g.value(depth - 1); g.IntN(3) > 0 {
			pointer = "/" + strings.ToValidUTF8(key, "\uFFFD") + below
		}
	}
	g.space()
	g.out.WriteByte('}')
	return pointer
}

func (g *generator) array(depth int) string {
	pointer := ""
	g.out.WriteByte('[')
	for i := range g.IntN(6) {
		if i > 0 {
			g.out.WriteByte(',')
		}
		if below := g.value(depth - 1); g.IntN(3) > 0 {
			pointer = fmt.Sprintf("/%d%s", i, below)
		}
	}
	g.space()
	g.out.WriteByte(']')
	return pointer
}

func TestScannerOnRandomDocuments(t *testing.T) {
	n := 5_000
	if testing.Short() {
		n /= 10
	}
	for seed := range n {
		g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 0))}
		pointer := g.value(topDepth)
		if g.IntN(8) == 0 {
			pointer += "/a"
		}
		sizes := make([]byte, g.IntN(40))
		for i := range sizes {
			sizes[i] = byte(g.IntN(1 + g.IntN(40)))
		}
		if err := checkLookup([]byte(g.out.String()), pointer, sizes, g.IntN(100)); err != nil {
			t.Fatalf("seed %d, %q in %q in pieces of %d: %v", seed, pointer, g.out.String(), sizes, err)
		}
	}
}

// The result never depends on how a document is cut into pieces, not even if it is
// invalid.
func TestScannerOnRandomBytes(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n /= 10
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		alphabet := `{}[]:,"\\""ab01 Yy_` + "\x7f\xa2\xdb"
		alphabet = alphabet[:1+r.IntN(len(alphabet))]
		doc := []byte(`{"b":[`)
		for range r.IntN(300) {
			doc = append(doc, alphabet[r.IntN(len(alphabet))])
		}
		doc = append(doc, `],"a":1}`...)
		sizes := make([]byte, r.IntN(10))
		for i := range sizes {
			sizes[i] = byte(r.IntN(1 + r.IntN(200)))
		}
		if err := checkLookup(doc, "/a", sizes, r.IntN(100)); err != nil {
			t.Fatalf("seed %d, %q in pieces of %d: %v", seed, doc, sizes, err)
		}
	}
}
