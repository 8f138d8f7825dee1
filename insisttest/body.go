package insisttest

import (
	"io"
	"sync/atomic"
)

// Body is a request or response body that counts how often it is closed.
type Body struct {
	// Reader provides the bytes of the body. If it is an io.Closer, Close closes it.
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

// Close counts the call, and closes the Reader if it is an io.Closer.
func (b *Body) Close() error {
	b.closes.Add(1)
	if c, ok := b.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Closes returns how often the body has been closed.
func (b *Body) Closes() int { return int(b.closes.Load()) }
