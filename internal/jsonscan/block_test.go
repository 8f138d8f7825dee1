package jsonscan

import (
	"math/rand/v2"
	"testing"
)

// blockOf returns a random block of few different bytes, so that each sequence of
// them is common.
func blockOf(r *rand.Rand) (block [64]byte) {
	const alphabet = `"\{}[]aYy:,_` + "\x00\x7f\xa2\xdb\xdc\xdd\xfb\xfd"
	n := 1 + r.IntN(len(alphabet))
	for i := range block {
		block[i] = alphabet[r.IntN(n)]
	}
	return block
}

// maskOf returns the mask of the bytes i for which is(i) is true.
func maskOf(is func(i int) bool) (mask uint64) {
	for i := range 64 {
		if is(i) {
			mask |= 1 << (i%8*8 + i/8)
		}
	}
	return mask
}

func TestClassifyEachByte(t *testing.T) {
	for c := range 256 {
		for i := range 64 {
			var block [64]byte
			for j := range block {
				block[j] = byte(c + 1)
			}
			block[i] = byte(c)
			got := classify(&block)
			is := func(set string) uint64 {
				return maskOf(func(i int) bool {
					for j := range len(set) {
						if block[i] == set[j] {
							return true
						}
					}
					return false
				})
			}
			if got.quotes != is(`"`) || got.backslashes != is(`\`) || got.brackets != is("[]{}Yy_\x7f") ||
				got.opening&is("[]{}") != is("[{") {
				t.Fatalf("%#x among %#x, at %d: got %x", c, c+1, i, got)
			}
		}
	}
}

func TestInByteOrder(t *testing.T) {
	for n := range 64 {
		if got := inByteOrder(maskOf(func(i int) bool { return i == n })); got != 1<<n {
			t.Errorf("byte %d: got %x", n, got)
		}
		if got := inByteOrder(inByteOrder(1 << n)); got != 1<<n {
			t.Errorf("bit %d, twice: got %x", n, got)
		}
	}
}

// The masks of a block are compared with a loop over its bytes.
func TestBlockAgainstBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		block, first, depth := blockOf(r), uint64(r.IntN(2)), 1+r.IntN(4)
		c := classify(&block)
		var escaped, inside [64]bool
		end, after, escape, within := 0, depth, first == 1, false
		for i, b := range block {
			escaped[i] = escape
			escape = b == '\\' && !escape
			if b == '"' && !escaped[i] {
				within = !within
			}
			inside[i] = within
			if within || after == 0 {
				continue
			}
			switch b {
			case '{', '[', '_', 0x7f: // bit 1 is set
				after++
			case '}', ']', 'Y', 'y':
				if after--; after == 0 {
					end = i + 1
				}
			}
		}
		wantEscaped := maskOf(func(i int) bool { return escaped[i] })
		if got := escapedBy(c.backslashes, first); got != wantEscaped {
			t.Fatalf("%q: escaped: got %x, want %x", block, got, wantEscaped)
		}
		if got := following(c.backslashes) | first; got&c.backslashes == 0 && got != wantEscaped {
			t.Fatalf("%q: escaped, no runs: got %x, want %x", block, got, wantEscaped)
		}
		wantInside := maskOf(func(i int) bool { return inside[i] })
		if got := insideBlock(c.quotes &^ wantEscaped); got != wantInside {
			t.Fatalf("%q: inside: got %x, want %x", block, got, wantInside)
		}
		brackets := c.brackets &^ wantInside
		if gotAfter, gotEnd := depthAfter(depth, brackets, brackets&^c.opening); gotAfter != after || gotEnd != end {
			t.Fatalf("%q at %d: got depth %d, end %d, want %d, %d", block, depth, gotAfter, gotEnd, after, end)
		}
	}
}
