package jsonscan

// A word is eight bytes of the document, read as a little-endian uint64. A mask
// of a word marks a byte by that byte's high bit. Its other bits are zero, or
// have no meaning where that is said.

const (
	ones  = 0x0101010101010101 // c*ones is a word of eight bytes c
	highs = 0x80 * ones
	lows  = 0x7f * ones

	// bracketBits are the bits in which the four brackets differ. With those
	// set, each bracket becomes anyBracket. So do Y, y, _ and DEL, which valid
	// JSON has inside strings only. Of the bracketBits, bit 1 is set in an
	// opening bracket, and clear in a closing one.
	bracketBits = 0x26 * ones
	anyBracket  = 0x7f * ones
)

// equal marks the bytes in which v and w are equal.
func equal(v, w uint64) uint64 {
	v ^= w
	return ^((v&lows + lows) | v) & highs
}

// firstZero marks the first byte of w that is zero. It may mark any byte after
// that by mistake. It is cheaper than equal.
func firstZero(w uint64) uint64 { return (w - ones) &^ w & highs }

// insideWord marks the bytes inside strings, opening quotes included. within has
// all bits set if the word begins inside a string, else none. Bits other than
// the high ones have no meaning.
func insideWord(quotes, within uint64) uint64 {
	// The product has in each byte the number of quotes up to it. If that is
	// odd, the byte is inside.
	return (quotes>>7*ones)<<7 ^ within
}

// spread returns all bits set if the last byte is marked, else none.
func spread(mask uint64) uint64 { return uint64(int64(mask) >> 63) }

// trailingBackslashes counts the backslashes at the end of b.
func trailingBackslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}
