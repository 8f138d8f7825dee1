package reqbody

import (
	"errors"
	"fmt"
	"io"
)

var (
	errRevoked     = errors.New("insist: this attempt's request body has been closed")
	ErrNoBody      = errors.New("insist: GetBody returned neither a body nor an error")
	ErrNotRewound  = errors.New("insist: GetBody did not return the whole request body")
	errNotBuffered = errors.New("insist: the request body was too large to keep")
	errTooOften    = errors.New("insist: the base transport asked for the request body too often")
)

// ErrInFlight means that no body could be had for the next attempt, since a Read of
// the last one's goes on although it has been closed.
var ErrInFlight = errors.New("insist: the request body is still being read")

// bodyError is what the base gets to see of an error of the caller's reader.
// It is a pointer, because net/http compares body errors, which panics for some
// types; the caller gets the error itself.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// lengthError says that a body is not as long as its request declares.
type lengthError struct{ got, declared int64 }

func (e *lengthError) Error() string {
	if e.got > e.declared {
		return fmt.Sprintf("insist: the request body is longer than its ContentLength of %d", e.declared)
	}
	return fmt.Sprintf("insist: the request body ended after %d of the %d bytes of its ContentLength", e.got, e.declared)
}

func (e *lengthError) Unwrap() error { return io.ErrUnexpectedEOF }
