package insist

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/neterr"
)

// Error reports that insist itself ended a call. RoundTrip returns one only if there is
// no response and no error of the base to return: the context ended before an attempt,
// a Cooldown would hold the call back for too long, GetBody or Prepare failed, or the
// base broke its contract. Do, Run, Func and Attempts return one after more than one
// attempt, for a value that retryIf reports, and if the context has ended. errors.Is and
// errors.As find the last attempt's error and what ended the call. Except in the texts
// of these two, it holds no URL, header or body.
type Error struct {
	// Attempts is the number of attempts that were made. Zero means that the
	// context had ended before the first.
	Attempts int

	// Reason says why there was no further attempt.
	Reason Reason

	// Status is the status code of the last attempt's response, which has been
	// closed. Zero means that it had none.
	Status int

	// Err is the last attempt's error. If nil, the attempt ended in a response, or in a
	// value that retryIf reported.
	Err error

	// Cause is what ended the call in place of the next attempt: the context's
	// cause, or the error of GetBody or Prepare. If nil, Reason says all.
	Cause error

	// Until is set if a Cooldown ended the call: the time when its pause ends.
	// Zero means that no Cooldown ended the call.
	Until time.Time

	rejected bool  // retryIf reported the last value
	ctxErr   error // if the context ended the call: ctx.Err(), which Cause may not match
}

// Error says how many attempts were made, why there was no further one, and how the last
// one ended:
//
//	insist: gave up after 3 attempts: last status 503
//	insist: gave up after 2 attempts: context canceled; last error: connection refused
func (e *Error) Error() string {
	var b strings.Builder
	switch e.Attempts {
	case 0:
		b.WriteString("insist: no attempt was made")
	case 1:
		b.WriteString("insist: gave up after 1 attempt")
	default:
		fmt.Fprintf(&b, "insist: gave up after %d attempts", e.Attempts)
	}
	next := ": "
	add := func(format string, arg any) {
		b.WriteString(next)
		fmt.Fprintf(&b, format, arg)
		next = "; "
	}
	if why := e.why(); why != "" {
		add("%s", why)
	}
	switch {
	case e.Err != nil:
		add("last error: %v", e.Err)
	case e.rejected:
		add("%s", "the last value was rejected")
	case e.Status != 0:
		add("last status %d", e.Status)
	}
	return b.String()
}

// why says what ended the call. It is empty if the number of attempts says so already.
func (e *Error) why() string {
	words := map[Reason]string{
		ReasonAttempts:  "",
		ReasonBudget:    "the budget has no retry left",
		ReasonWait:      "the wait would be too long",
		ReasonMaybeDone: "it may have taken effect",
		ReasonBody:      "the request body can't be sent again",
		ReasonError:     "an error that is not retried",
		ReasonDecision:  "the loop was left",
		ReasonContext:   "the context ended",
	}
	why, ok := words[e.Reason]
	switch {
	case e.Reason == ReasonCooldown:
		return "the service asked for a pause until " + e.Until.UTC().Format(time.RFC3339)
	case e.Cause != nil && (e.Reason == ReasonContext || e.Reason == ReasonError):
		return e.Cause.Error()
	case e.Cause != nil:
		return why + ": " + e.Cause.Error()
	case !ok:
		return string(e.Reason)
	}
	return why
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

// Timeout reports whether a timeout ended the call: the context's deadline or, if the
// context did not end the call, a timeout of Cause or of the last attempt. url.Error and
// SDKs call it.
func (e *Error) Timeout() bool {
	switch {
	case e.ctxErr != nil:
		return errors.Is(e.ctxErr, context.DeadlineExceeded) || neterr.IsTimeout(e.Cause)
	case e.Cause != nil:
		return neterr.IsTimeout(e.Cause)
	}
	return neterr.IsTimeout(e.Err)
}

// Temporary returns the same as Timeout, as context.DeadlineExceeded does. It makes
// *Error a net.Error. Without it, errors.As would find the last attempt's net.Error,
// whose Timeout may differ.
func (e *Error) Temporary() bool { return e.Timeout() }

// MarshalText returns what Error does. Without it, encoding/json would write the fields of
// wrapped errors, such as the URL of a url.Error.
func (e *Error) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Errors that have a text only.
var (
	errCanceled   = errors.New("insist: request canceled")
	errNilError   = errors.New("insist: the base RoundTripper returned a nil pointer as its error")
	errNoResponse = errors.New("insist: the base RoundTripper returned neither a response nor an error")
)
