// Package chunk keeps bytes in chunks. A Buffer grows without copying the bytes it
// holds, each reader has a Cursor of its own, and all chunks but small ones are pooled. A
// Buffer has no lock: callers must serialize Room, Grow, Read, Next and Free. The slice
// that Room returned may be written concurrently with Read and Next, because these don't
// access it before Grow.
package chunk

import (
	"errors"
	"sync"
)

// ErrBadRead is the error of a body whose Read returned a negative count, or one larger
// than its slice.
var ErrBadRead = errors.New("insist: a body returned an invalid count from Read")

// Buffer is a sequence of bytes that is only appended to. The zero value is empty.
type Buffer struct {
	chunks [][]byte  // the bytes written; the last chunk may have free capacity
	first  [1][]byte // the first memory of chunks: a short body needs no more
	spare  []byte    // lent memory for the first chunk that fits into it
}

// Cursor is a position in a Buffer. The zero value is the start.
type Cursor struct{ chunk, off int }

const (
	// Size is the capacity in bytes of a full chunk. It is not a power of two, so
	// that a body whose length is a power of two does not end exactly with a chunk;
	// see Room.
	Size = 64<<10 - 8

	// First is the capacity in bytes of the first chunk if the total length is not
	// known. Each later chunk has at least twice the capacity of the one before.
	First = 512

	// Middle is the capacity in bytes of a chunk for more than First bytes, if it is enough.
	Middle = 4 << 10
)

var (
	fullChunks   = sync.Pool{New: func() any { return new([Size]byte) }}
	middleChunks = sync.Pool{New: func() any { return new([Middle]byte) }}
)

// Lend gives an empty Buffer memory to use first: one chunk, of less than Middle bytes, and
// the list of chunks. So an owner can hold the Buffer and both in a single allocation.
func (b *Buffer) Lend(chunk []byte, list [][]byte) { b.spare, b.chunks = chunk, list[:0] }

// Room returns the slice to write to next: at least one byte, at most most. exact means
// that the caller knows that most bytes follow; otherwise chunks start small and double.
func (b *Buffer) Room(most int64, exact bool) []byte {
	size := int64(First)
	if b.chunks == nil {
		b.chunks = b.first[:0]
	} else if n := len(b.chunks); n > 0 {
		last := b.chunks[n-1]
		if free := last[len(last):cap(last)]; len(free) > 0 {
			return free[:min(int64(len(free)), most)]
		}
		size = 2 * int64(cap(last))
	}
	switch {
	case exact:
		size = most
	case len(b.spare) > 0:
		size = int64(len(b.spare))
	}
	size = min(size, most, Size)
	if exact && size == most-1 {
		size /= 2 // so that the last byte does not need a Read of its own
	}
	var c []byte
	switch {
	case size <= int64(len(b.spare)):
		c, b.spare = b.spare[:0], nil
	default:
		c = newChunk(size)
	}
	b.chunks = append(b.chunks, c)
	return c[:size]
}

// newChunk returns an empty chunk for at least size bytes. If it is from a pool, not all of
// it may be needed.
func newChunk(size int64) []byte {
	switch {
	case size > Size/2:
		return fullChunks.Get().(*[Size]byte)[:0]
	case size > First && size <= Middle:
		return middleChunks.Get().(*[Middle]byte)[:0]
	}
	return make([]byte, 0, size)
}

// Grow appends the n bytes that were written to the slice from Room.
func (b *Buffer) Grow(n int) {
	last := &b.chunks[len(b.chunks)-1]
	*last = (*last)[:len(*last)+n]
}

// Read copies the bytes that follow at into p and moves at.
func (b *Buffer) Read(p []byte, at *Cursor) (n int) {
	for n < len(p) && at.chunk < len(b.chunks) {
		data := b.chunks[at.chunk]
		m := copy(p[n:], data[at.off:])
		n, at.off = n+m, at.off+m
		if at.off < cap(data) {
			break // no more bytes are written yet, or p is full
		}
		*at = Cursor{at.chunk + 1, 0}
	}
	return n
}

// Next returns the bytes that follow at in its chunk, without copying them, and moves
// at. The bytes are valid until Free.
func (b *Buffer) Next(at *Cursor) []byte {
	for at.chunk < len(b.chunks) {
		data := b.chunks[at.chunk]
		if piece := data[at.off:]; len(piece) > 0 {
			at.off = len(data)
			return piece
		}
		if len(data) < cap(data) {
			break // no more bytes are written yet
		}
		*at = Cursor{at.chunk + 1, 0}
	}
	return nil
}

// Free empties the Buffer and returns its chunks to their pools. No slice from Room or
// Next may be in use.
func (b *Buffer) Free() {
	for _, c := range b.chunks {
		switch cap(c) {
		case Size:
			fullChunks.Put((*[Size]byte)(c[:Size]))
		case Middle:
			middleChunks.Put((*[Middle]byte)(c[:Middle]))
		}
	}
	*b = Buffer{}
}
