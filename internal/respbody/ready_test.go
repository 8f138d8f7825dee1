package respbody

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// TestALookIntoMemory needs no goroutine, and so no allocation for a Read: a body in memory
// can't hold up the caller, not even if there is no time at all.
func TestALookIntoMemory(t *testing.T) {
	text := strings.Repeat("x", 3000)
	from, waiter := strings.NewReader(text), wait.ForContext(t.Context())
	allocations := func(body io.ReadCloser, most time.Duration) float64 {
		looked, whole := make([]byte, 2000), make([]byte, len(text))
		return testing.AllocsPerRun(10, func() {
			from.Reset(text)
			resp := http.Response{ContentLength: int64(len(text)), Body: body}
			b := Open(&resp, Attempt{Waiter: waiter})
			r := b.Look(int64(len(text)), most)
			if _, err := io.ReadFull(r, looked); err != nil {
				t.Fatal(err)
			}
			r.Stop()
			if _, err := io.ReadFull(b, whole); err != nil || string(whole) != text {
				t.Fatal(err, string(whole))
			}
		})
	}
	inMemory := allocations(io.NopCloser(from), 0)
	other := allocations(io.NopCloser(struct{ io.Reader }{from}), time.Minute)
	assert.Less(t, inMemory, other)
}
