package funcid

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

type store struct{ n int }

func (s *store) get() int { return s.n }
func (s *store) put() int { s.n++; return s.n }

func plain() int               { return 1 }
func generic[T any]() (zero T) { return zero }

//go:noinline
func literal(n int) func() int { return func() int { return n } }

func TestOf(t *testing.T) {
	a, b := &store{}, &store{}
	first, second := func() int { return 1 }, func() int { return 1 }
	all := map[string]func() int{
		"plain": plain, "generic": generic[int], "get": a.get, "put": a.put,
		"literal": literal(1), "first": first, "second": second,
	}
	seen := make(map[uintptr]string)
	for name, fn := range all {
		id := Of(fn)
		assert.Equal(t, reflect.ValueOf(fn).Pointer(), id, "%s: as reflect reads it", name)
		assert.NotZero(t, id)
		assert.Empty(t, seen[id], name)
		seen[id] = name
	}
	assert.Equal(t, Of(a.get), Of(b.get), "another receiver")
	assert.Equal(t, Of(literal(1)), Of(literal(2)), "other variables")
	assert.Zero(t, Of[func()](nil))
}

// The body of a loop over a function is a function, too.
func TestOfLoopBodies(t *testing.T) {
	var ids []uintptr
	once := func(yield func(int) bool) {
		ids = append(ids, Of(yield))
		yield(0)
	}
	for range 2 {
		for range once {
		}
	}
	for range once {
	}
	assert.Len(t, ids, 3)
	assert.Equal(t, ids[0], ids[1])
	assert.NotEqual(t, ids[0], ids[2])
}

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Of(plain)
	}
}
