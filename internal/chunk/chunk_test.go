package chunk

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fill appends data to b, as a body arrives: in pieces.
func fill(b *Buffer, data []byte, exact bool, piece int) {
	for len(data) > 0 {
		n := copy(b.Room(int64(len(data)), exact), data[:min(piece, len(data))])
		b.Grow(n)
		data = data[n:]
	}
}

func TestABufferGivesWhatItWasGiven(t *testing.T) {
	for _, size := range []int{0, 1, First - 1, First, First + 1, 3 * First, Middle, Middle + 1, Size - 1, Size, Size + 1, 3*Size + 7} {
		for _, exact := range []bool{false, true} {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(rand.Uint32())
			}
			var b Buffer
			fill(&b, data, exact, 700)
			for _, piece := range []int{1000, 1 << 20} {
				var got []byte
				p := make([]byte, piece)
				for at := (Cursor{}); ; {
					n := b.Read(p, &at)
					if n == 0 {
						break
					}
					got = append(got, p[:n]...)
				}
				require.True(t, bytes.Equal(data, got), "%d bytes", size)
			}
			var got []byte
			for at := (Cursor{}); ; {
				piece := b.Next(&at)
				if piece == nil {
					break
				}
				got = append(got, piece...)
			}
			require.True(t, bytes.Equal(data, got), "%d bytes", size)
			b.Free()
			assert.Zero(t, b.Read(make([]byte, 1), new(Cursor)), "empty again")
		}
	}
}

// Cursors that wait at the end go on when there is more, wherever a chunk ended.
func TestCursorsFollowTheEnd(t *testing.T) {
	var b Buffer
	var all, read, next []byte
	var reads, nexts Cursor
	p := make([]byte, 100)
	for range 3 * First {
		c := byte(rand.Uint32())
		fill(&b, []byte{c}, false, 1)
		all = append(all, c)
		read = append(read, p[:b.Read(p, &reads)]...)
		next = append(next, b.Next(&nexts)...)
	}
	assert.Equal(t, all, read)
	assert.Equal(t, all, next)
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		name  string
		most  int64
		exact bool
		want  int
	}{
		{"one byte", 1, false, 1},
		{"little", First - 1, false, First - 1},
		{"unknown", 1 << 40, false, First},
		{"no bound", math.MaxInt64, false, First},
		{"known and short", 1000, true, 1000},
		{"known", 10_000, true, 10_000},
		{"known and long", 1 << 40, true, Size},
		{"known, without a bound", math.MaxInt64, true, Size},
		{"known, a chunk and the byte that should not be", Size + 1, true, Size / 2},
	} {
		var b Buffer
		assert.Len(t, b.Room(c.most, c.exact), c.want, c.name)
	}
}

// Chunks of an unknown total at least double, until they are full ones.
func TestChunksDouble(t *testing.T) {
	var b Buffer
	fill(&b, make([]byte, 3*Size), false, 1<<20)
	var caps []int
	for _, c := range b.chunks {
		caps = append(caps, cap(c))
	}
	assert.Equal(t, []int{First, Middle, 2 * Middle, 4 * Middle, Size, Size, Size}, caps)
}

// What is lent is used first, and only by a chunk that fits.
func TestLend(t *testing.T) {
	lent := make([]byte, 100)
	list := make([][]byte, 2)
	var b Buffer
	b.Lend(lent, list)
	room := b.Room(50, true)
	assert.Same(t, &lent[0], &room[0])
	b.Grow(50)
	assert.Same(t, &list[0], &b.chunks[0])

	b = Buffer{}
	b.Lend(lent, list)
	room = b.Room(1000, true)
	assert.Len(t, room, 1000)
}

// A short body costs one allocation, and one whose chunks are pooled at most the list.
func TestCost(t *testing.T) {
	var b Buffer
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		b.Grow(copy(b.Room(100, true), "short"))
		b = Buffer{}
	}), 1.0)
	var at Cursor
	p := make([]byte, Size)
	for _, size := range []int{First + 1, Middle, Size/2 + 1, Size} {
		data := make([]byte, size)
		assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			fill(&b, data, true, Size)
			at = Cursor{}
			b.Read(p, &at)
			b.Free()
		}), 1.0)
	}
}
