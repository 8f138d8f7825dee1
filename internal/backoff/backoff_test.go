package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCeilingDoublesUpToItsLimit(t *testing.T) {
	for _, c := range []struct {
		name        string
		base, limit time.Duration
		failed      int
		want        time.Duration
	}{
		{"first", time.Second, time.Minute, 1, time.Second},
		{"second", time.Second, time.Minute, 2, 2 * time.Second},
		{"sixth", time.Second, time.Minute, 6, 32 * time.Second},
		{"at the limit", time.Second, time.Minute, 7, time.Minute},
		{"no overflow", time.Second, time.Minute, 100, time.Minute},
		{"no limit", time.Second, 0, 6, 32 * time.Second},
		{"no overflow without limit", time.Second, -1, 100, math.MaxInt64},
		{"no end", time.Second, math.MaxInt64, math.MaxInt, math.MaxInt64},
		{"before the first", time.Second, time.Minute, 0, time.Second},
		{"negative count", time.Second, time.Minute, -3, time.Second},
		{"zero base", 0, time.Minute, math.MaxInt, 0},
		{"negative base", -1, time.Minute, 5, 0},
		{"base above the limit", time.Hour, time.Minute, 1, time.Minute},
		{"one nanosecond", 1, math.MaxInt64, 63, 1 << 62},
	} {
		assert.Equal(t, c.want, Ceiling(c.base, c.limit, c.failed), c.name)
	}
}

func TestFullJitterIsFromZeroToTheCeiling(t *testing.T) {
	lowest := func(int64) int64 { return 0 }
	highest := func(n int64) int64 { return n - 1 }
	assert.Zero(t, FullJitter(time.Second, 0, 3, lowest))
	assert.Equal(t, 4*time.Second, FullJitter(time.Second, 0, 3, highest))
	assert.Equal(t, time.Duration(math.MaxInt64-1), FullJitter(time.Second, 0, 100, highest))
	assert.Zero(t, FullJitter(-1, 0, 3, func(int64) int64 { panic("nothing to choose from") }))
}
