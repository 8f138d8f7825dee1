package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// A block is 64 bytes of the document. A mask has one bit for each byte of a
// block, in an order that is cheap to produce: bit 8*k+j belongs to byte 8*j+k,
// so that each byte of a mask has one bit from each of the block's eight words.
// Counting needs no other order. Where one does, see [inByteOrder].

// classes are masks of the bytes that matter, outside or inside a string.
type classes struct {
	quotes      uint64
	backslashes uint64
	// brackets marks the four brackets, and also Y, y, _ and DEL, which valid
	// JSON has inside strings only.
	brackets uint64
	// opening tells opening brackets from closing ones. For other bytes it has
	// no meaning.
	opening uint64
}

// classify returns the classes of a block. It turns the block's eight words
// into eight masks, one for each bit of a byte, and finds all 64 bytes of a
// class by a few operations on those. Comparing the bytes of each word with
// each character takes twice the time.
func classify(block *[64]byte) classes {
	w0 := binary.LittleEndian.Uint64(block[0:8])
	w1 := binary.LittleEndian.Uint64(block[8:16])
	w2 := binary.LittleEndian.Uint64(block[16:24])
	w3 := binary.LittleEndian.Uint64(block[24:32])
	w4 := binary.LittleEndian.Uint64(block[32:40])
	w5 := binary.LittleEndian.Uint64(block[40:48])
	w6 := binary.LittleEndian.Uint64(block[48:56])
	w7 := binary.LittleEndian.Uint64(block[56:64])

	// The words and their bits are the rows and columns of a matrix, which is
	// transposed by swapping off-diagonal squares: of 4, 2 and 1 bits.
	w0, w4 = swap4(w0, w4)
	w1, w5 = swap4(w1, w5)
	w2, w6 = swap4(w2, w6)
	w3, w7 = swap4(w3, w7)

	w0, w2 = swap2(w0, w2)
	w1, w3 = swap2(w1, w3)
	w4, w6 = swap2(w4, w6)
	w5, w7 = swap2(w5, w7)

	w0, w1 = swap1(w0, w1)
	w2, w3 = swap1(w2, w3)
	w4, w5 = swap1(w4, w5)
	w6, w7 = swap1(w6, w7)

	// From here on wN is the mask of the bytes in which bit N is set.
	common := w6 & w4 & w3 &^ w7 // of brackets and backslashes: 01x1_1xxx
	return classes{
		quotes:      w5 & w1 &^ (w7 | w6 | w4 | w3 | w2 | w0), // 0010_0010
		backslashes: common & w2 &^ (w5 | w1 | w0),            // 0101_1100
		brackets:    common & w0,                              // 01x1_1xx1
		opening:     w1,
	}
}

// swap4 swaps, byte by byte, the high half of v with the low half of w.
func swap4(v, w uint64) (uint64, uint64) {
	t := (v>>4 ^ w) & (0x0f * ones)
	return v ^ t<<4, w ^ t
}

// swap2 does the same within each four bits.
func swap2(v, w uint64) (uint64, uint64) {
	t := (v>>2 ^ w) & (0x33 * ones)
	return v ^ t<<2, w ^ t
}

// swap1 does the same within each two bits.
func swap1(v, w uint64) (uint64, uint64) {
	t := (v>>1 ^ w) & (0x55 * ones)
	return v ^ t<<1, w ^ t
}

// inByteOrder returns the mask with its bits in the order of the bytes: bit n
// belongs to byte n. Applied to that, it returns the mask again.
func inByteOrder(mask uint64) uint64 {
	t := (mask>>7 ^ mask) & 0x00aa_00aa_00aa_00aa
	mask ^= t ^ t<<7
	t = (mask>>14 ^ mask) & 0x0000_cccc_0000_cccc
	mask ^= t ^ t<<14
	t = (mask>>28 ^ mask) & 0x0000_0000_f0f0_f0f0
	return mask ^ t ^ t<<28
}

// escapedBy returns the mask of the bytes that are escaped: those after a
// backslash that is not escaped itself. first is 1 if the block's first byte is
// escaped, else 0.
func escapedBy(backslashes, first uint64) uint64 {
	escaped := first
	for left := inByteOrder(backslashes) &^ first; left != 0; {
		backslash := left & -left
		escaped |= backslash << 1
		left &^= backslash | backslash<<1
	}
	return inByteOrder(escaped)
}

// following returns the mask of the bytes that follow those of mask.
func following(mask uint64) uint64 { return mask<<8 | mask>>56<<1&0xff }

// insideBlock returns the mask of the bytes inside strings, opening quotes
// included, for a block that begins outside a string.
func insideBlock(quotes uint64) uint64 {
	// A byte is inside a string if the number of quotes up to it is odd: those
	// in its own word, which come first here, and in the words before that.
	quotes ^= quotes << 8
	quotes ^= quotes << 16
	quotes ^= quotes << 32
	words := quotes >> 56
	words ^= words << 1
	words ^= words << 2
	words ^= words << 4
	return quotes ^ words<<1&0xff*ones
}

// firstHalf is the mask of a block's first 32 bytes.
const firstHalf = 0x0f * ones

// depthAfter returns the depth after the brackets of a block that begins at the
// given depth. If a closing bracket makes that zero, it returns zero and the
// number of bytes up to that bracket, itself included.
func depthAfter(depth int, brackets, closing uint64) (after, end int) {
	brackets, closing = inByteOrder(brackets), inByteOrder(closing)
	for left := closing; left != 0; left &= left - 1 {
		upTo := left ^ (left - 1) // the next closing bracket and all bytes before it
		if depth+bits.OnesCount64(brackets&upTo) == 2*bits.OnesCount64(closing&upTo) {
			return 0, bits.TrailingZeros64(left) + 1
		}
	}
	return depth + bits.OnesCount64(brackets) - 2*bits.OnesCount64(closing), 0
}
