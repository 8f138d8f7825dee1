package reqbody

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrInFlight means that the body could not be opened again, since a Read of the
	// caller's reader goes on although that has been closed.
	ErrInFlight = errors.New("insist: the request body is still being read")

	// ErrNoBody means that GetBody returned neither a body nor an error.
	ErrNoBody = errors.New("insist: GetBody returned neither a body nor an error")

	// ErrNotRewound means that GetBody returned another body than before, or not all
	// of it.
	ErrNotRewound = errors.New("insist: GetBody did not return the whole request body")

	errRevoked     = errors.New("insist: this attempt's request body has been closed")
	errNotBuffered = errors.New("insist: the request body was too large to keep")
	errTooOften    = errors.New("insist: the base transport asked for the request body too often")
)

// bodyError is what the base sees of an error of the caller's reader, which the caller
// gets as it is. It is a pointer, since net/http compares body errors, and comparing
// panics for some types.
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
