package insist

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShouldRetryHeader(t *testing.T) {
	for value, want := range map[string]Verdict{
		"": unknown, "true": Retry, "TRUE": Retry, "false": Stop, "False": Stop, "yes": unknown, "1": unknown,
	} {
		assert.Equal(t, want, shouldRetry(http.Header{"X-Should-Retry": {value}}), value)
	}
}
