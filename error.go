package insist

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-552c89fc/insist/internal/neterr"
)

// Error reports that insist itself ended a call. RoundTrip returns one only where
// there is no response and no error of the base to hand back: the context ended
// before an attempt, GetBody or Prepare failed, the base broke its contract.
// Do, Run, Func and Attempts return one after more than one attempt, for a value
// that the condition rejects, and where the context has ended. errors.Is and
// errors.As find the last attempt's error and what ended the call. Beside their
// texts it holds no URL, header or body.
type Error struct {
	// Attempts is the number of attempts that were made. Zero means that the
	// context had ended before the first.
	Attempts int

	// Reason says why there was no further attempt.
	Reason Reason

	// Status is the status code of the last attempt's response, which has been
	// closed. Zero means that it had none.
	Status int

	// Err is the last attempt's error. If nil, it had none: it ended in a
	// response, or in a value that the condition rejected.
	Err error

	// Cause is what ended the call in place of the next attempt: the context's
	// cause, or the error of GetBody or Prepare. If nil, the Reason says it all.
	Cause error

	rejected bool  // the last value was one that the condition reports
	ctxErr   error // ctx.Err() where that ended the call; Cause may not match it
}

// Error says how many attempts were made, why there was no further one, and
// what the last one met.
func (e *Error) Error() string {
	var b strings.Builder
	reason := e.Reason
	if reason == ReasonError {
		reason = "an error that is not retried"
	}
	fmt.Fprintf(&b, "insist: %s after %d attempt", reason, e.Attempts)
	if e.Attempts != 1 {
		b.WriteByte('s')
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, " (last error: %v)", e.Err)
	case e.rejected:
		b.WriteString(" (last value rejected)")
	case e.Status != 0:
		fmt.Fprintf(&b, " (last status: %d)", e.Status)
	}
	return b.String()
}

// Unwrap returns the last attempt's error, the cause, and the context's error,
// as many of them as there are.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Err, e.Cause, e.ctxErr} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Timeout reports whether time ran out: the context's deadline if that ended the
// call, else the last attempt's own timeout. url.Error and SDKs ask for it.
func (e *Error) Timeout() bool {
	switch {
	case e.ctxErr != nil:
		return errors.Is(e.ctxErr, context.DeadlineExceeded) || neterr.IsTimeout(e.Cause)
	case e.Cause != nil:
		return neterr.IsTimeout(e.Cause)
	}
	return neterr.IsTimeout(e.Err)
}

// Temporary is Timeout, as it is for the context's own error. It makes an Error a
// net.Error: errors.As would else find the last attempt's, which may be no timeout.
func (e *Error) Temporary() bool { return e.Timeout() }

// Errors of our own that have nothing to carry.
var (
	errCanceled   = errors.New("insist: request canceled")
	errNoResponse = errors.New("insist: the base RoundTripper returned neither a response nor an error")
)
