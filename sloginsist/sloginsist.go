// Package sloginsist logs what an [insist.Policy] does, by log/slog: one line for
// a retry and one for a call that is given up.
//
//	policy := insist.Standard()
//	policy.OnAttempt = sloginsist.Hook{}.OnAttempt
//
// A call that succeeds at its first attempt logs nothing. Nor does one that
// succeeds after retries, whose lines say already what happened, unless
// [Hook.Done] is set.
//
// A line has these attributes, those that are empty left out:
//
//	attempt    the attempt's number, from 1
//	name       the Policy's Name
//	method     of the request; none for a function
//	host       of the request's URL, with the port if it has one; none for a function
//	status     of the response
//	error      the class of the error, one word or a Go type: insist.Attempt.Class
//	duration   of the attempt
//	beside     how long the attempt before had been in flight, for a hedge
//	held       by a Cooldown, before the attempt began
//	wait       before the next attempt, or the one that was not begun
//	conn_retired  an HTTP/2 connection was taken out of use
//	reason     why there is another attempt, or why there is none: insist.Reason
//
// No line has a path, query, header or body in it, nor the text of an error,
// which may have a URL.
package sloginsist

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/seed-552c89fc/insist"
)

// Hook logs attempts: set its OnAttempt as Policy.OnAttempt. The zero value is
// ready for use. A Hook is safe for concurrent use; a level that is not enabled
// costs no allocation.
type Hook struct {
	// Logger gets the lines. They are logged with the call's context, so that a
	// handler can add what it finds there.
	// If nil, slog.Default(), as it is when a line is logged.
	Logger *slog.Logger

	// Retry is the level of the line for an attempt that another one follows.
	// If nil, slog.LevelInfo.
	Retry slog.Leveler

	// GiveUp is the level of the line for a call that ends without success and
	// without another attempt, its first attempt's failure included. Its caller
	// has the last response or error as well, and knows better whether that is an
	// error of the program. If nil, slog.LevelWarn.
	GiveUp slog.Leveler

	// Done is the level of the line for an attempt that another one has overtaken (see
	// insist.Hedge), and of the line for a call that ends after a retry, but is
	// not given up: it succeeded, or a rule decided that its result is to be
	// kept. If nil, there is no such line.
	Done slog.Leveler
}

// OnAttempt logs a. To combine it with another hook, call both from a function.
func (h Hook) OnAttempt(ctx context.Context, a insist.Attempt) {
	level, text := h.line(&a)
	if level == nil {
		return
	}
	logger := cmp.Or(h.Logger, slog.Default())
	if !logger.Enabled(ctx, level.Level()) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 12), slog.Int("attempt", a.Number))
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
	for _, d := range []struct {
		key string
		d   time.Duration
	}{{"beside", a.Beside}, {"held", a.Held}, {"wait", a.Wait}} {
		if d.d != 0 {
			attrs = append(attrs, slog.Duration(d.key, d.d))
		}
	}
	if a.ConnRetired {
		attrs = append(attrs, slog.Bool("conn_retired", true))
	}
	logger.LogAttrs(ctx, level.Level(), text, append(attrs, slog.String("reason", string(a.Reason)))...)
}

// line returns the level and the text of a's line, or a nil level for none.
func (h *Hook) line(a *insist.Attempt) (slog.Leveler, string) {
	switch {
	case a.Reason == insist.ReasonOvertaken:
		return h.Done, "insist: overtaken"
	case a.Retry:
		return cmp.Or(h.Retry, slog.Leveler(slog.LevelInfo)), "insist: retrying"
	case a.GaveUp():
		return cmp.Or(h.GiveUp, slog.Leveler(slog.LevelWarn)), "insist: gave up"
	case a.Number > 1:
		return h.Done, "insist: done"
	}
	return nil, ""
}
