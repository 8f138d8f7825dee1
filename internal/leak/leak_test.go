package leak

import "testing"

func TestALeakIsFound(t *testing.T) {
	before, stop := goroutines(), make(chan struct{})
	go func() { <-stop }()
	if len(newSince(before)) == 0 {
		t.Error("a goroutine that waits was not found")
	}
	close(stop)
	if left := leaked(before); len(left) > 0 {
		t.Errorf("goroutines that have ended were found: %s", left)
	}
}
