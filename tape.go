package insist

import "sync"

// tape keeps bytes in chunks: it grows without copying, and full chunks are
// pooled.
type tape struct {
	chunks []chunk
	first  [2]chunk // a short body needs no more
}

type chunk struct {
	data   []byte           // what has been written, with room behind it
	pooled *[chunkSize]byte // data's array, if it is a full chunk
}

// spot is a place on a tape.
type spot struct{ chunk, off int }

const (
	chunkSize  = 64 << 10
	firstChunk = 512
)

var chunkPool = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// room returns where to write next: at least one byte, at most most. exact means
// that most bytes are sure to come; else chunks start small and double.
func (t *tape) room(most int64, exact bool) []byte {
	size := int64(firstChunk)
	if t.chunks == nil {
		t.chunks = t.first[:0]
	} else if n := len(t.chunks); n > 0 {
		last := t.chunks[n-1].data
		if free := last[len(last):cap(last)]; len(free) > 0 {
			return free[:min(int64(len(free)), most)]
		}
		size = 2 * int64(cap(last))
	}
	if exact {
		size = most
	}
	var c chunk
	if size = min(size, most, chunkSize); size == chunkSize {
		c.pooled = chunkPool.Get().(*[chunkSize]byte)
		c.data = c.pooled[:0]
	} else {
		c.data = make([]byte, 0, size)
	}
	t.chunks = append(t.chunks, c)
	return c.data[:size]
}

// grow says that n bytes have been written where room pointed.
func (t *tape) grow(n int) {
	c := &t.chunks[len(t.chunks)-1]
	c.data = c.data[:len(c.data)+n]
}

// read copies from at on, and moves at.
func (t *tape) read(p []byte, at *spot) (n int) {
	for n < len(p) && at.chunk < len(t.chunks) {
		data := t.chunks[at.chunk].data
		m := copy(p[n:], data[at.off:])
		n, at.off = n+m, at.off+m
		if at.off < cap(data) {
			break // nothing more written yet, or p is full
		}
		*at = spot{at.chunk + 1, 0}
	}
	return n
}

// free gives the chunks back. Nobody may be reading or writing them.
func (t *tape) free() {
	for _, c := range t.chunks {
		if c.pooled != nil {
			chunkPool.Put(c.pooled)
		}
	}
	*t = tape{}
}
