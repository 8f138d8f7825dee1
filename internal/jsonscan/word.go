package jsonscan

const (
	ones  = 0x0101010101010101 // times a byte: a word of that byte
	highs = 0x80 * ones
	lows  = 0x7f * ones

	// The four brackets, with the bits set in which they differ, are one byte.
	// So are the letters Y, y, _ and DEL, but those JSON has only in strings.
	// Bit 1 is set in an opening bracket and not in a closing one.
	alike      = 0x26 * ones
	anyBracket = 0x7f * ones
)

// differ marks the bytes in which v and w differ.
func differ(v, w uint64) uint64 {
	w ^= v
	return (w&lows + lows) | w
}

// zeros marks the bytes of w that are zero: the lowest such one for sure, and
// above it, by mistake, perhaps some that are not. It is cheaper than differ.
func zeros(w uint64) uint64 { return (w - ones) &^ w & highs }

// insideMask marks the bytes that are inside a string, the quote that opens it
// included. The product has in each byte the number of quotes up to it, of
// which all that matters is whether it is odd.
func insideMask(quotes, within uint64) uint64 { return (quotes>>7*ones)<<7 ^ within }

// last has every bit set if the mask marks the last byte of a word, else none.
func last(mask uint64) uint64 { return uint64(int64(mask) >> 63) }

// backslashes counts those at the end of b.
func backslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}
