package faults

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// stock is what the process holds.
type stock struct{ files, goroutines, bytes int }

// memoryRoom is what the process may hold more after all calls, in bytes: packages
// keep some once they have been used. It is some 100 bytes for each call.
const memoryRoom = 1 << 20

func takeStock() stock {
	return stock{openFiles(), runtime.NumGoroutine(), heap()}
}

// compare waits until no more is held than before.
func (before stock) compare(t *testing.T) {
	t.Helper()
	settles(t, "files", func() int { return openFiles() - before.files })
	settles(t, "goroutines", func() int { return runtime.NumGoroutine() - before.goroutines })
	settles(t, "bytes of memory", func() int { return heap() - before.bytes - memoryRoom })
	t.Logf("before: %+v; after: %+v", before, takeStock())
}

// openFiles counts the open files, where the system lists them: on Linux.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// heap is what is in use after two collections: a sync.Pool survives one.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// settles waits until nothing is left over.
func settles(t *testing.T, what string, left func() int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if left() <= 0 {
			return
		}
		<-tick.C
	}
	t.Errorf("%d %s are left:\n%s", left(), what, stacks())
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
