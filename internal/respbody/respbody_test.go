package respbody

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/chunk"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// TestAResponseDoesNotKeepWhatWasRead: of its body, which the caller may be done
// with long before the response.
func TestAResponseDoesNotKeepWhatWasRead(t *testing.T) {
	const size = 3 * chunk.Size
	for _, length := range []int64{size, -1} {
		testKeepsNothing(t, length, size)
	}
}

func testKeepsNothing(t *testing.T, length int64, size int) {
	resp := &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size))), ContentLength: length}
	body := Open(resp, Attempt{Waiter: wait.ForContext(t.Context())})
	resp = body.Response()
	require.Equal(t, io.EOF, body.Buffer(1<<20, time.Second))
	var chunks []weak.Pointer[byte]
	for at := (chunk.Cursor{}); ; {
		piece := body.buffer.Next(&at)
		if piece == nil {
			break
		}
		if len(piece) > chunk.First { // which is the body's own
			chunks = append(chunks, weak.Make(&piece[0]))
		}
	}
	assert.Greater(t, len(chunks), 2)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Len(t, data, size)
	for range 2 { // the first leaves a pool's victims
		runtime.GC()
	}
	for i, c := range chunks {
		assert.Nil(t, c.Value(), "%d of length %d", i, length)
	}
	resp.Body.Close()
}
