//go:build !race

package integrationtests

import (
	"io"
	"net/http"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// TestALargeFileTakesNoMemory, through four attempts. The race detector empties the pools
// of net/http's HTTP/2.
func TestALargeFileTakesNoMemory(t *testing.T) {
	const size = 32 << 20
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			assert.NoError(t, err)
			assert.EqualValues(t, size, n)
			if hits.Next(r) < 4 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		f := servertest.File(nil)
		require.NoError(t, f.Truncate(size)) // sparse
		req, record := requestTo(t, s, http.MethodPut, "/", f)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp, err := over(s).RoundTrip(req)
		runtime.ReadMemStats(&after)
		require.NoError(t, err, "%v", record.Calls())
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, 4, hits.Count("/"))
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/2), "client and server")
		_, err = f.Stat()
		assert.ErrorIs(t, err, os.ErrClosed)
	})
}
