package insist_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"
)

// within fails t if do does not return: a hang is to end the test, not the run.
// The limit only bounds a failure; no test passes by it.
func within(t *testing.T, do func()) {
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

// stuck is a reader that gives a little and then nothing until it is closed, or,
// if its Close does nothing, until the test lets it go.
type stuck struct {
	first    bytes.Reader
	blocked  chan struct{} // closed when a Read waits
	released chan struct{}
	deaf     bool // Close does not end a Read
	once     sync.Once
	end      error // of the Read that was released
}

func newStuck(first []byte, deaf bool) *stuck {
	s := &stuck{blocked: make(chan struct{}), released: make(chan struct{}), deaf: deaf, end: errors.New("released")}
	s.first.Reset(first)
	return s
}

func (s *stuck) Read(p []byte) (int, error) {
	if s.first.Len() > 0 {
		return s.first.Read(p)
	}
	close(s.blocked)
	<-s.released
	return 0, s.end
}

func (s *stuck) Close() error {
	if !s.deaf {
		s.once.Do(func() { close(s.released) })
	}
	return nil
}
