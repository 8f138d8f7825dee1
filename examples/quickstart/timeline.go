package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/seed-552c89fc/insist"
)

// timeline prints what insist tells it of each attempt, as it happens. Its
// method attempt goes into Policy.OnAttempt.
type timeline struct {
	out   io.Writer
	start time.Time
	last  insist.Attempt
}

// begin starts the timeline of a call.
func (t *timeline) begin(title string) {
	fmt.Fprintf(t.out, "\n%s\n", title)
	t.start, t.last = time.Now(), insist.Attempt{}
}

// attempt prints what came back, and the wait that follows.
func (t *timeline) attempt(_ context.Context, a insist.Attempt) {
	now := time.Since(t.start)
	if t.last.Retry && a.Number == t.last.Number { // told of a second time
		t.line(now, "no wait", "cut short: "+string(a.Reason))
	} else {
		t.line(now-a.Duration, fmt.Sprint("attempt ", a.Number), result(a))
	}
	if a.Retry {
		t.line(now, "wait", fmt.Sprintf("%s (%s)", seconds(a.Wait), a.Reason))
	}
	t.last = a
}

// redirect prints where http.Client goes next. What follows is a call of its own
// to insist, whose attempts count from 1.
func (t *timeline) redirect(to string) {
	t.line(time.Since(t.start), "redirect", to)
}

// end prints the outcome of the call, with what the record says of it.
func (t *timeline) end(record *insist.Record, outcome string) {
	attempts, last := tally(record)
	outcome += fmt.Sprintf(", after %d attempt", attempts)
	if attempts != 1 {
		outcome += "s"
	}
	if attempts > 0 && last.Reason != insist.ReasonSuccess && last.Reason != insist.ReasonAccepted {
		outcome += ": " + string(last.Reason)
	}
	if last.Reason == insist.ReasonWait {
		outcome += " (to wait: " + seconds(last.Wait) + ")"
	}
	t.line(time.Since(t.start), "outcome", outcome)
}

func (t *timeline) line(at time.Duration, what, detail string) {
	fmt.Fprintf(t.out, "%11s  %-10s %s\n", seconds(max(0, at)), what, printable(detail))
}

// tally returns the number of attempts on the record, all redirects included,
// and the last one.
func tally(record *insist.Record) (attempts int, last insist.Attempt) {
	for _, call := range record.Calls() {
		attempts += len(call)
		last = call[len(call)-1]
	}
	return attempts, last
}

// result says what came back.
func result(a insist.Attempt) string {
	came := status(a.Status)
	if a.Err != nil {
		came = "no answer: " + cause(a.Err)
	}
	return came + " (took " + seconds(a.Duration) + ")"
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code)))
}

// cause is the part of a network error that tells a person something. It never
// has a URL in it.
func cause(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case err == io.EOF:
		return "connection closed"
	case errors.Is(err, net.ErrClosed): // by net/http, when it had seen it fail
		return "connection broken"
	case ok && op.Err != nil: // without the addresses
		return op.Err.Error()
	}
	return err.Error()
}

// printable keeps control characters, which a server may have put into an
// error's text, from the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
