package insist

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zeros is a body of n bytes that takes no memory and can be read once.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	z.n -= n
	return int(n), nil
}

// BenchmarkUpload256MiB shows the peak of the heap during an upload over
// loopback: beside the bare transport, with GetBody nothing is kept, and without
// it what MaxReplayBytes allows.
func BenchmarkUpload256MiB(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	const size = 256 << 20
	bare := http.DefaultTransport.(*http.Transport).Clone()
	defer bare.CloseIdleConnections()
	for _, c := range []struct {
		name    string
		rt      http.RoundTripper
		getBody func() (io.ReadCloser, error)
	}{
		{"bare", bare, nil},
		{"GetBody", &RetryTransport{Base: bare}, func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil }},
		{"read once", &RetryTransport{Base: bare}, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			var peak uint64
			for b.Loop() {
				peak = max(peak, peakHeap(func() {
					req, err := http.NewRequest("POST", srv.URL, &zeros{size})
					require.NoError(b, err)
					req.GetBody = c.getBody
					resp, err := c.rt.RoundTrip(req)
					require.NoError(b, err)
					resp.Body.Close()
				}))
			}
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}

// peakHeap is by how much the heap in use rises while f runs, at most, as far as
// looking once a millisecond shows.
func peakHeap(f func()) (peak uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		var m runtime.MemStats
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	f()
	cancel()
	<-watched
	return max(peak, before) - before
}
