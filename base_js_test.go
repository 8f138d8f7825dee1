package insist

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// With a function to dial by, net/http would not use fetch.
func TestABrowserFetches(t *testing.T) {
	assert.Nil(t, DefaultBase().DialContext)
}
