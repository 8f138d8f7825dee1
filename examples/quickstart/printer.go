package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/seed-552c89fc/insist"
)

// printer prints each attempt of a client: set its method attempt as Policy.OnAttempt. It is
// also the client's base, and forwards each request, to see the response's Retry-After.
type printer struct {
	out    io.Writer
	base   http.RoundTripper
	indent string // of the next line
	asked  string // the last response's Retry-After
	last   insist.Attempt
}

func (p *printer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(req)
	p.asked = ""
	if resp != nil {
		p.asked = resp.Header.Get("Retry-After")
	}
	return resp, err
}

// attempt prints the attempt's result, and what follows.
func (p *printer) attempt(_ context.Context, a insist.Attempt) {
	if a.Amended && p.last.Retry { // reported a second time
		p.line("the wait was cut short: " + string(a.Reason))
		return
	}
	p.last = a
	result := status(a.Status)
	if a.Err != nil {
		result = describe(a.Err)
	}
	p.line(fmt.Sprintf("attempt %d: %s%s", a.Number, result, p.next(a)))
}

// next says what follows an attempt, and why.
func (p *printer) next(a insist.Attempt) string {
	asked := ""
	if p.asked != "" {
		asked = " (Retry-After: " + p.asked + ")"
	}
	switch {
	case a.Retry && a.Reason == insist.ReasonCondition:
		return fmt.Sprintf(", retried after %s (the body reports a failure)", seconds(a.Wait))
	case a.Retry:
		return fmt.Sprintf(", retried after %s%s", seconds(a.Wait), asked)
	case !a.GaveUp():
		return ""
	case a.Reason == insist.ReasonWait:
		return ", not retried: the wait is longer than Policy.MaxRetryAfter" + asked
	case a.Reason == insist.ReasonMaybeDone:
		return ", not retried: the server may have acted on it"
	}
	return ", not retried: " + string(a.Reason)
}

func (p *printer) line(text string) {
	fmt.Fprintln(p.out, p.indent+printable(text))
	p.indent = strings.Repeat(" ", len(p.indent))
}

// count says how many attempts are on record, those of redirects included.
func count(record *insist.Record) string {
	n := 0
	for _, call := range record.Calls() {
		n += len(call)
	}
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprint(n, " attempts")
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code)))
}

// describe returns the part of an error that may be printed: no URL, since a query may
// hold a secret, and no addresses.
func describe(err error) string {
	switch (insist.Attempt{Err: err}).Class() {
	case "eof", "unexpected_eof", "connection_reset", "broken_pipe", "closed":
		return "connection lost"
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	return err.Error()
}

// printable removes control characters, which a server may have put into an error's text,
// so that they don't reach the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
