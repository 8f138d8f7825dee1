package insisttest

import (
	"io"
	"sync/atomic"
)

// Body is a request or response body that counts how often it is closed.
type Body struct {
	// Reader is what the body has; Close closes it too, if it is an io.Closer.
	// If nil, the body is empty.
	Reader io.Reader

	closes atomic.Int64
}

// Read reads from the Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.Reader == nil {
		return 0, io.EOF
	}
	return b.Reader.Read(p)
}

// Close counts, and closes the Reader.
func (b *Body) Close() error {
	b.closes.Add(1)
	if c, ok := b.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Closes returns how often the body has been closed.
func (b *Body) Closes() int { return int(b.closes.Load()) }
