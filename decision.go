package insist

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Verdict is what a Decision says: Retry, Stop, or, as the zero value, that the
// other rules decide.
type Verdict int

const (
	unknown Verdict = iota

	// Retry asks for another attempt.
	Retry

	// Stop keeps the attempt's response or error as the call's result.
	Stop
)

// String returns "retry", "stop" or "undecided".
func (v Verdict) String() string {
	switch v {
	case Retry:
		return "retry"
	case Stop:
		return "stop"
	}
	return "undecided"
}

// Decision is what Policy.Classify and a BodyCondition return. The zero
// value leaves the attempt to the other rules; so does a Verdict that is none of
// the constants.
type Decision struct {
	// Verdict is Retry or Stop. Zero means that the other rules decide.
	Verdict Verdict

	// Wait replaces the Backoff before the next attempt, also where the other
	// rules ask for that attempt. A longer Retry-After still wins.
	// Zero means that Backoff decides; negative means no wait.
	Wait time.Duration
}

// ErrorAs reports whether err, or an error that it wraps, is an E. Give it to
// Policy.RetryableError to retry by the error's type:
//
//	RetryableError: insist.ErrorAs[*net.OpError]
func ErrorAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Permanent marks err as one that another attempt would meet again: neither
// RetryableError nor the default rule retries it. The mark doesn't change the text, and
// errors.Is and errors.As find err behind it. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// shouldRetry reads the x-should-retry header, by which some servers (OpenAI,
// Anthropic) say whether to retry.
func shouldRetry(h http.Header) Verdict {
	values := h["X-Should-Retry"] // Get would canonicalize the key for each response
	switch {
	case len(values) == 0:
	case strings.EqualFold(values[0], "true"):
		return Retry
	case strings.EqualFold(values[0], "false"):
		return Stop
	}
	return unknown
}
