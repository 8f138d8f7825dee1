//go:build gc && !purego && !race

package funcid

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAClosureStaysOnTheStack(t *testing.T) {
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		n := 0
		Of(func() int { n++; return n })
	}))
}
