package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// zeros is a body of n bytes that takes no memory. It counts what is read.
type zeros struct {
	n    int64
	read *atomic.Int64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	z.n -= n
	z.read.Add(n)
	return int(n), nil
}

// uploaded is what an upload took.
type uploaded struct {
	name  string
	first float64 // until the server had the first byte
	ahead int64   // what had been read of the body by then
	peak  uint64  // of the heap
}

// uploads sends size bytes to a server on the same machine that never fails, and measures
// what the ability to retry costs.
func uploads(size int64, getBody bool, rounds int) []uploaded {
	var firstByte atomic.Pointer[func()]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 1))
		(*firstByte.Load())()
		io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	bare := srv.Client().Transport
	all := []uploaded{{name: "bare"}}
	transports := []http.RoundTripper{bare}
	for _, l := range libraries {
		all = append(all, uploaded{name: l.name})
		transports = append(transports, l.over(bare, 0))
	}
	for i := range all {
		all[i].first, all[i].ahead = math.Inf(1), math.MaxInt64
	}
	for range rounds {
		for i, rt := range transports {
			req, read := uploadRequest(srv.URL, size, getBody)
			peak := peakHeap(func() {
				start := time.Now()
				arrived := func() {
					all[i].first = min(all[i].first, time.Since(start).Seconds())
					all[i].ahead = min(all[i].ahead, read.Load())
				}
				firstByte.Store(&arrived)
				get(rt, req)
			})
			all[i].peak = max(all[i].peak, peak)
		}
	}
	return all
}

// uploadTable compares uploads of a body that can be read once, and of one with
// GetBody.
func uploadTable(rounds int) string {
	var b strings.Builder
	b.WriteString("### Upload of 256 MiB\n\nOver loopback; nothing fails. The time until the server has the first byte, as a " +
		"ratio to net/http's transport alone; how much of the body had been read by then; the peak of the heap.\n\n")
	for i, getBody := range []bool{false, true} {
		all := uploads(256<<20, getBody, rounds)
		if i == 0 {
			b.WriteString("| |")
			for _, u := range all {
				fmt.Fprintf(&b, " %s |", u.name)
			}
			b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
		}
		fmt.Fprintf(&b, "| %s |", []string{"body that can be read once", "body with GetBody"}[i])
		for _, u := range all {
			fmt.Fprintf(&b, " %s<br>%s read ahead<br>%.0f MiB at the peak |",
				ratio(u.first/all[0].first), unit(float64(u.ahead)), math.Ceil(float64(u.peak)/(1<<20)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func uploadRequest(url string, size int64, getBody bool) (*http.Request, *atomic.Int64) {
	read := new(atomic.Int64)
	req, err := http.NewRequest("POST", url, &zeros{size, read})
	if err != nil {
		panic(err)
	}
	if getBody {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size, read}), nil }
	}
	return req, read
}

// peakHeap returns by how much the heap in use rises at most while f runs, measured once a
// millisecond.
func peakHeap(f func()) (peak uint64) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		var m runtime.MemStats
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	f()
	close(done)
	<-watched
	return max(peak, before) - before
}
