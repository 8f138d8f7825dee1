package servertest

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Eventually waits until done returns true. Use it only for what is certain to happen, and
// if no channel signals it.
func Eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		runtime.Gosched()
	}
	require.Eventually(t, done, 10*time.Second, time.Millisecond, what)
}

// Within fails t if do does not return, so a hang ends only this test and not the whole
// run. The limit matters only for a failure: no test passes because of it.
func Within(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}

// Stuck is a reader that returns a few bytes and then blocks. A blocked Read returns when
// the reader is closed or, if its Close does nothing, when the test closes Released.
type Stuck struct {
	first    bytes.Reader
	Blocked  chan struct{} // closed when a Read blocks
	Released chan struct{} // closed when that Read may return
	deaf     bool          // Close does not end a Read
	once     sync.Once
	End      error // what the blocked Read returns
}

// NewStuck returns a reader that returns first and then blocks. If deaf is set, its Close
// does not end a Read.
func NewStuck(first []byte, deaf bool) *Stuck {
	s := &Stuck{Blocked: make(chan struct{}), Released: make(chan struct{}), deaf: deaf, End: errors.New("released")}
	s.first.Reset(first)
	return s
}

func (s *Stuck) Read(p []byte) (int, error) {
	if s.first.Len() > 0 {
		return s.first.Read(p)
	}
	close(s.Blocked)
	<-s.Released
	return 0, s.End
}

func (s *Stuck) Close() error {
	if !s.deaf {
		s.once.Do(func() { close(s.Released) })
	}
	return nil
}
