// Package leak fails a test, or a run of tests, if goroutines that it started are still
// running at its end. It is for this project's own tests.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main is a TestMain that fails the run if a goroutine has outlived the tests.
// The ends are called before it looks.
func Main(m *testing.M, ends ...func()) {
	before := goroutines()
	code := m.Run()
	for _, end := range ends {
		end()
	}
	if left := leaked(before); len(left) > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %d goroutines outlived the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// Check fails t if a goroutine that the test started is still running at its end. Such a
// test can't be parallel.
func Check(t *testing.T) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		if left := leaked(before); len(left) > 0 {
			t.Errorf("%d goroutines left:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

// leaked returns the stacks of the goroutines that were not there before, after
// giving them time to end.
func leaked(before map[string]string) (stacks []string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if stacks = newSince(before); len(stacks) == 0 {
			return nil
		}
		<-tick.C
	}
	return stacks
}

func newSince(before map[string]string) (stacks []string) {
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && !ownedByRuntime(stack) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

func ownedByRuntime(stack string) bool {
	for _, known := range []string{"os/signal.", "testing.(*M).", "runtime.ensureSigM", "testing.runFuzz", "runtime.handleEvent"} {
		if strings.Contains(stack, known) {
			return true
		}
	}
	return false
}

// goroutines maps the goroutines' numbers to their stacks, its own excluded.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := make(map[string]string)
	for i, stack := range strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if i > 0 {
			all[id] = stack
		}
	}
	return all
}
