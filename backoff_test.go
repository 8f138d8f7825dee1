package insist

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

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
