package reqbody

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAForgottenCopy: net/http's HTTP/2 calls GetBody to resend a request, finds no
// connection, and neither reads nor closes what it got; http.Transport then calls GetBody
// again. The response may come before that body is read. The caller's body is closed with
// the last copy.
func TestAForgottenCopy(t *testing.T) {
	for _, keepFirst := range []bool{false, true} {
		for _, reads := range []int{0, 1, 1000} {
			eachKind(t, pattern(10), func(t *testing.T, c *call) {
				out := c.attempt(t)
				if !c.IsStream() {
					return
				}
				out.Body.Close()
				_, err := out.GetBody()
				require.NoError(t, err)
				last, err := out.GetBody()
				require.NoError(t, err)
				var end func()
				if keepFirst {
					end = c.Keep()
				}
				_, err = io.CopyN(io.Discard, last, int64(reads))
				assert.Equal(t, reads > 10, err == io.EOF)
				last.Close()
				if !keepFirst {
					end = c.Keep()
				}
				if end != nil {
					end()
				}
				assert.Equal(t, c.given.Load(), c.closed.Load())
			})
		}
	}
}
