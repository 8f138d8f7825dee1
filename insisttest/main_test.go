package insisttest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails where goroutines are left. They may take a moment to end.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			fmt.Printf("goroutines left:\n%s\n", stacks[:runtime.Stack(stacks, true)])
			code = 1
			break
		}
		time.Sleep(time.Millisecond)
	}
	os.Exit(code)
}
