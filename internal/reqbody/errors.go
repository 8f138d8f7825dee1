package reqbody

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrInFlight means that the body could not be opened again: the caller's reader was
	// closed, but a Read or Close of it has not returned.
	ErrInFlight = errors.New("insist: the request body is still being read")

	// ErrNoBody means that GetBody returned neither a body nor an error.
	ErrNoBody = errors.New("insist: GetBody returned neither a body nor an error")

	// ErrNotRewound means that GetBody returned a different body than before, or only a
	// part of it.
	ErrNotRewound = errors.New("insist: GetBody did not return the whole request body")

	errShared      = errors.New("insist: GetBody rewinds a reader that another attempt in flight may need")
	errRevoked     = errors.New("insist: this attempt's request body has been closed")
	errNotBuffered = errors.New("insist: the request body was too large to keep")
	errTooOften    = errors.New("insist: the base transport asked for the request body too often")
)

// bodyError wraps an error of the caller's reader for the base; the caller gets the error
// itself. net/http compares body errors with ==, which panics for some error types, so
// the base gets a pointer.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// lengthError means that a body is not as long as its request declares.
type lengthError struct{ got, declared int64 }

func (e *lengthError) Error() string {
	if e.got > e.declared {
		return fmt.Sprintf("insist: the request body is longer than its ContentLength of %d", e.declared)
	}
	return fmt.Sprintf("insist: the request body ended after %d of the %d bytes of its ContentLength", e.got, e.declared)
}

func (e *lengthError) Unwrap() error { return io.ErrUnexpectedEOF }
