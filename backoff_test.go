package insist

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
		{"no overflow without limit", time.Second, math.MaxInt64, 100, math.MaxInt64},
		{"no end", time.Second, math.MaxInt64, math.MaxInt, math.MaxInt64},
		{"before the first", time.Second, time.Minute, 0, time.Second},
		{"negative count", time.Second, time.Minute, -3, time.Second},
		{"zero base", 0, time.Minute, math.MaxInt, 0},
		{"negative base", -1, time.Minute, 5, 0},
		{"base above the limit", time.Hour, time.Minute, 1, time.Minute},
		{"one nanosecond", 1, math.MaxInt64, 63, 1 << 62},
	} {
		assert.Equal(t, c.want, ceiling(c.base, c.limit, c.failed), c.name)
	}
}

func TestExponentialHasFullJitter(t *testing.T) {
	wait := Exponential(time.Second, 0)
	var low, high bool
	for range 1000 {
		d := wait(3)
		assert.True(t, 0 <= d && d <= 4*time.Second, d)
		low, high = low || d < time.Second, high || d > 3*time.Second
	}
	assert.True(t, low && high, "the waits keep to a part of the range")
	for _, failed := range []int{math.MinInt, -1, 0, 100, math.MaxInt} {
		assert.GreaterOrEqual(t, wait(failed), time.Duration(0))
		assert.Zero(t, Exponential(-1, -1)(failed))
		assert.LessOrEqual(t, Exponential(time.Hour, time.Second)(failed), time.Second)
	}
}

func TestConstant(t *testing.T) {
	assert.Equal(t, time.Second, Constant(time.Second)(7))
	assert.Zero(t, Constant(-time.Second)(7))
}
