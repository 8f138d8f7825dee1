package insist

import "sync"

// tape keeps bytes in chunks: it grows without copying, and full chunks are
// pooled.
type tape struct {
	chunks [][]byte  // what has been written; the last may have room behind it
	first  [1][]byte // a short body needs no more
	spare  []byte    // to be the next chunk that is no longer
}

// spot is a place on a tape.
type spot struct{ chunk, off int }

const (
	chunkSize  = 64<<10 - 8 // not what bodies are multiples of; see room
	firstChunk = 512
)

var chunkPool = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// lend gives an empty tape a chunk that needs not be made, and the list for it and
// for others.
func (t *tape) lend(chunk []byte, list [][]byte) { t.spare, t.chunks = chunk, list[:0] }

// room returns where to write next: at least one byte, at most most. exact means
// that most bytes are sure to come; else chunks start small and double.
func (t *tape) room(most int64, exact bool) []byte {
	size := int64(firstChunk)
	if t.chunks == nil {
		t.chunks = t.first[:0]
	} else if n := len(t.chunks); n > 0 {
		last := t.chunks[n-1]
		if free := last[len(last):cap(last)]; len(free) > 0 {
			return free[:min(int64(len(free)), most)]
		}
		size = 2 * int64(cap(last))
	}
	if exact {
		size = most
	}
	if size = min(size, most, chunkSize); exact && size == most-1 {
		size /= 2 // lest the last byte need a Read of its own
	}
	var c []byte
	switch {
	case size <= int64(len(t.spare)):
		c, t.spare = t.spare[:0], nil
	case size == chunkSize:
		c = chunkPool.Get().(*[chunkSize]byte)[:0]
	default:
		c = make([]byte, 0, size)
	}
	t.chunks = append(t.chunks, c)
	return c[:size]
}

// grow says that n bytes have been written where room pointed.
func (t *tape) grow(n int) {
	last := &t.chunks[len(t.chunks)-1]
	*last = (*last)[:len(*last)+n]
}

// read copies from at on, and moves at.
func (t *tape) read(p []byte, at *spot) (n int) {
	for n < len(p) && at.chunk < len(t.chunks) {
		data := t.chunks[at.chunk]
		m := copy(p[n:], data[at.off:])
		n, at.off = n+m, at.off+m
		if at.off < cap(data) {
			break // nothing more written yet, or p is full
		}
		*at = spot{at.chunk + 1, 0}
	}
	return n
}

// next returns what follows at in its chunk, in place, and moves at.
func (t *tape) next(at *spot) []byte {
	for at.chunk < len(t.chunks) {
		data := t.chunks[at.chunk]
		if piece := data[at.off:]; len(piece) > 0 {
			at.off = len(data)
			return piece
		}
		if len(data) < cap(data) {
			break // nothing more written yet
		}
		*at = spot{at.chunk + 1, 0}
	}
	return nil
}

// free gives the chunks back. Nobody may be reading or writing them.
func (t *tape) free() {
	for _, c := range t.chunks {
		if cap(c) == chunkSize {
			chunkPool.Put((*[chunkSize]byte)(c[:chunkSize]))
		}
	}
	*t = tape{}
}
