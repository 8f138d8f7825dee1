package insist

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/neterr"
)

// Attempt is the result of one attempt. It keeps neither request nor response alive,
// and holds no path, query, header or body. It is safe to log by any means (fmt,
// log/slog, encoding/json), since all of them write the error's class and not its
// text, which may have a URL in it. Only Err itself, the base's or the function's own
// error, has that text.
type Attempt struct {
	// Number counts the attempts of a call from 1.
	Number int

	// Name is the Name of the call's Policy. Empty means that it has none.
	Name string

	// Method is the request's method. Empty means that the attempt was a
	// function's.
	Method string

	// Host is the host of the request's URL, and the port if that has one. Empty
	// means that the attempt was a function's.
	Host string

	// Status is the status code of the response. Zero means that none came, or
	// that the attempt was a function's.
	Status int

	// Err is the attempt's error. With a Status it is the one in which the body was
	// truncated, or says why the response does not continue a download. If nil, the
	// attempt ended in a response or a value.
	Err error

	// Duration is how long the attempt took, until its outcome was judged.
	Duration time.Duration

	// Beside is how long after the attempt with the number before this one began, while
	// an earlier attempt was still in flight; see Hedge. Zero means that all earlier
	// attempts had ended.
	Beside time.Duration

	// Held is how long a Cooldown held the attempt back before it began, in addition to
	// the Wait of the attempt before it. Zero means that it was not held back.
	Held time.Duration

	// Wait is the wait before the next attempt. If Retry is false, it is the wait that
	// was not begun, or was cut short. Zero means none.
	Wait time.Duration

	// Retry reports whether another attempt follows.
	Retry bool

	// Reason says why another attempt follows, or why none does.
	Reason Reason

	// ConnRetired reports that the attempt timed out, and that its HTTP/2 connection was
	// therefore taken out of use: no later request is sent on it, but requests in flight
	// on it continue. If several attempts time out on one connection, only the first
	// reports it. False means that nothing was taken out of use: no connection is known,
	// it had been retired or closed before, or the attempt used HTTP/1, where net/http
	// itself closes the connection of each request that times out.
	ConnRetired bool

	// Amended reports that this replaces an earlier report of the same attempt: its
	// wait was cut short, the next attempt could not begin, or its body was truncated
	// (see Policy.ResumeDownloads). False means that this is the first report.
	Amended bool
}

// GaveUp reports whether the call ended with this attempt although the attempt failed.
// It is false after a success, and if a rule decided to keep the result.
func (a Attempt) GaveUp() bool {
	switch a.Reason {
	case ReasonSuccess, ReasonAccepted, ReasonDecision:
		return false
	}
	return !a.Retry
}

// Reason says why another attempt was made, or why none was. Its values are words in
// lower snake case that don't change, fit for a metric's label.
type Reason string

const (
	// ReasonSuccess ends a call: no rule asked for another attempt.
	ReasonSuccess Reason = "success"

	// ReasonAccepted ends a call: the response has a status of 400 or above, but no
	// rule counts it as a failure. A 404 under Standard is an example.
	ReasonAccepted Reason = "accepted"

	// ReasonStatus asks for another attempt: RetryableStatus counts the response as a
	// failure, or the server refused an Expect header.
	ReasonStatus Reason = "status"

	// ReasonError means that the attempt ended in an error. If the error may pass, it
	// asks for another attempt; if another attempt would meet it again, it ends the call.
	ReasonError Reason = "error"

	// ReasonCondition asks for another attempt: a condition on the body or the value
	// reported a failure.
	ReasonCondition Reason = "condition"

	// ReasonDecision means that Classify decided, or the server by its x-should-retry
	// header, or the body of a loop over Attempts, by leaving the loop.
	ReasonDecision Reason = "decision"

	// ReasonOvertaken ends an attempt, not the call: another attempt that was in flight
	// at the same time brought the result; see Hedge. Retry is set.
	ReasonOvertaken Reason = "overtaken"

	// ReasonMaybeDone ends a call: the request is not idempotent, and the server
	// may have acted on it.
	ReasonMaybeDone Reason = "maybe_done"

	// ReasonBody ends a call: the request body can't be resent in full. It was longer
	// than MaxReplayBytes, its reader failed, or GetBody failed.
	ReasonBody Reason = "body_not_replayable"

	// ReasonAttempts ends a call: MaxAttempts have been made.
	ReasonAttempts Reason = "attempts_used_up"

	// ReasonWait ends a call: the wait would not have ended before the context's
	// deadline, or not within MaxElapsed, or the server asked for a longer wait than
	// MaxRetryAfter.
	ReasonWait Reason = "wait_too_long"

	// ReasonBudget ends a call: its Budget had no retry left.
	ReasonBudget Reason = "budget_used_up"

	// ReasonCooldown ends a call: its Cooldown would have held it back for longer than
	// MaxRetryAfter, the deadline or MaxElapsed allow.
	ReasonCooldown Reason = "cooldown"

	// ReasonNotResumable ends a download (see Policy.ResumeDownloads): its body was
	// truncated, and can't be resumed, or the response to the request for the rest
	// does not continue it. Attempt.Class says why: "not_idempotent", "status",
	// "compressed", "trailers", "redirect" (followed by the base), "no_ranges"
	// (Accept-Ranges says so), "no_validator", "weak_validator", "changed" (another
	// version), "bad_content_range", or "range_ignored" (and too much would have to be
	// read again).
	ReasonNotResumable Reason = "not_resumable"

	// ReasonContext ends a call: its context ended.
	ReasonContext Reason = "context_ended"
)

// Class names the kind of the attempt's error in one word, for logs and metrics. With
// ReasonNotResumable it is one of the words that are listed there. Otherwise it is
// "timeout", "canceled", "dns", "certificate", "tls", "proxy_refused" (the proxy's
// response to CONNECT was a 4xx or 5xx), "connection_refused", "connection_reset",
// "broken_pipe", "unreachable", "eof", "unexpected_eof", "closed", "http2_goaway",
// "http2_stream_7" (with the code of RFC 9113, section 7) or, for any other error, the
// Go type of the innermost one. It never has the error's own text, which may have a URL
// in it. It is empty if there is no error.
func (a Attempt) Class() string {
	if e, ok := errors.AsType[*notResumableError](a.Err); ok {
		return string(e.obstacle)
	}
	if a.Method != "" && neterr.IsProxyRefusal(a.Err) {
		return neterr.ProxyRefused
	}
	return neterr.Class(a.Err)
}

// LogValue returns the attempt as a group, safe to log, for log/slog.
func (a Attempt) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.Int("number", a.Number))
	if a.Name != "" {
		attrs = append(attrs, slog.String("name", a.Name))
	}
	if a.Method != "" {
		attrs = append(attrs, slog.String("method", a.Method), slog.String("host", a.Host))
	}
	if a.Status != 0 {
		attrs = append(attrs, slog.Int("status", a.Status))
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Class()))
	}
	attrs = append(attrs, slog.Duration("duration", a.Duration))
	if a.Beside != 0 {
		attrs = append(attrs, slog.Duration("beside", a.Beside))
	}
	if a.Held != 0 {
		attrs = append(attrs, slog.Duration("held", a.Held))
	}
	if a.ConnRetired {
		attrs = append(attrs, slog.Bool("conn_retired", true))
	}
	if a.Wait != 0 {
		attrs = append(attrs, slog.Duration("wait", a.Wait))
	}
	attrs = append(attrs, slog.Bool("retry", a.Retry), slog.String("reason", string(a.Reason)))
	if a.Amended {
		attrs = append(attrs, slog.Bool("amended", true))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns the attempt as an object, safe to log. Its error is the class;
// durations are in nanoseconds, as encoding/json and log/slog have them.
func (a Attempt) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Number   int           `json:"number"`
		Name     string        `json:"name,omitempty"`
		Method   string        `json:"method,omitempty"`
		Host     string        `json:"host,omitempty"`
		Status   int           `json:"status,omitempty"`
		Error    string        `json:"error,omitempty"`
		Duration time.Duration `json:"duration"`
		Beside   time.Duration `json:"beside,omitempty"`
		Held     time.Duration `json:"held,omitempty"`
		Wait     time.Duration `json:"wait,omitempty"`
		Retry    bool          `json:"retry"`
		Reason   Reason        `json:"reason"`
		Retired  bool          `json:"conn_retired,omitempty"`
		Amended  bool          `json:"amended,omitempty"`
	}{a.Number, a.Name, a.Method, a.Host, a.Status, a.Class(), a.Duration, a.Beside, a.Held, a.Wait, a.Retry, a.Reason, a.ConnRetired, a.Amended})
}

// GoString is String: %#v would print the text of the error.
func (a Attempt) GoString() string { return a.String() }

// String returns the attempt in one line, safe to log:
//
//	503 after 12ms (status), wait 1s
func (a Attempt) String() string {
	var b strings.Builder
	if a.Beside > 0 {
		fmt.Fprintf(&b, "begun %v beside, ", rounded(a.Beside))
	}
	if a.Held > 0 {
		fmt.Fprintf(&b, "held back for %v, ", rounded(a.Held))
	}
	fmt.Fprintf(&b, "%s after %v (%s)", a.result(), rounded(a.Duration), a.Reason)
	if a.ConnRetired {
		b.WriteString(", connection retired")
	}
	switch {
	case a.Reason == ReasonOvertaken:
	case a.Retry:
		fmt.Fprintf(&b, ", wait %v", rounded(a.Wait))
	case a.Wait > 0 && a.Amended:
		fmt.Fprintf(&b, ", wait of %v cut short", rounded(a.Wait))
	case a.Wait > 0:
		fmt.Fprintf(&b, ", no wait of %v", rounded(a.Wait))
	}
	return b.String()
}

// result says what came of the attempt: a status, the class of its error, or
// both where a body was truncated.
func (a Attempt) result() string {
	switch {
	case a.Status != 0 && a.Err != nil:
		return fmt.Sprintf("%d %s", a.Status, a.Class())
	case a.Status != 0:
		return fmt.Sprint(a.Status)
	case a.Err != nil:
		return a.Class()
	case a.Reason == ReasonOvertaken:
		return "no response"
	}
	return "value"
}

// rounded rounds d to the precision that a reader needs.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

// notResumableError is the error on record if a truncated body is not resumed. The
// caller's Read returns the error with which the body was truncated.
type notResumableError struct {
	obstacle head.Obstacle
	err      error // with which the body was truncated; nil if a response does not continue it
}

func (e *notResumableError) Error() string {
	if e.err == nil {
		return "insist: not resumable: " + string(e.obstacle)
	}
	return fmt.Sprintf("insist: not resumable: %s: %v", e.obstacle, e.err)
}

func (e *notResumableError) Unwrap() error { return e.err }
