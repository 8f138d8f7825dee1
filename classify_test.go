package insist

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Texts of errors that have no type to be known by; the real ones are in
// errors_h2_test.go, but for those of golang.org/x/net/http2, which Kubernetes'
// client has.
func TestUnprocessedByItsText(t *testing.T) {
	for text, want := range map[string]bool{
		"stream error: stream ID 1; REFUSED_STREAM":                                 true,
		"stream error: stream ID 1; REFUSED_STREAM; received from peer":             true,
		"stream error: stream ID 1; INTERNAL_ERROR; received from peer":             false,
		"http2: Transport: cannot retry err [REFUSED_STREAM] after Request.Body":    true,
		"http2: Transport: cannot retry err [... PROTOCOL_ERROR] after":             false,
		"http2: Transport received Server's graceful shutdown GOAWAY":               true,
		"http2: server sent GOAWAY and closed the connection; LastStreamID=1":       false,
		"the server said: stream error: stream ID 1; REFUSED_STREAM; and then more": false,
	} {
		assert.Equal(t, want, isUnprocessed(errors.New(text)), text)
	}
	assert.True(t, isUnprocessed(fmt.Errorf("call: %w", streamError{Code: refusedStream})))
}

func TestShouldRetryHeader(t *testing.T) {
	for value, want := range map[string]Verdict{
		"": unknown, "true": Retry, "TRUE": Retry, "false": Stop, "False": Stop, "yes": unknown, "1": unknown,
	} {
		assert.Equal(t, want, shouldRetry(http.Header{"X-Should-Retry": {value}}), value)
	}
}
