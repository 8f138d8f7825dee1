// Package sloginsist logs retries by log/slog: one line for each retry of an
// [insist.Policy], and one line for each call that is given up.
//
//	policy := insist.Standard()
//	policy.OnAttempt = sloginsist.Hook{}.OnAttempt
//
// If a call succeeds at its first attempt, nothing is logged. If it succeeds after
// retries, only these retries are logged, unless [Hook.Done] is set.
//
// A line has these attributes; empty ones are omitted:
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
// No line contains a path, query, header or body, nor the text of an error, which may
// contain a URL.
package sloginsist

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/seed-552c89fc/insist"
)

// Hook logs attempts: set its OnAttempt as Policy.OnAttempt. The zero value is ready for
// use. A Hook is safe for concurrent use. If a level is not enabled, a line of that level
// costs no allocation.
type Hook struct {
	// Logger logs the lines, with the call's context, so a handler can add values from
	// that context. If nil, slog.Default() at the time when a line is logged.
	Logger *slog.Logger

	// Retry is the level of the line for an attempt that is retried.
	// If nil, slog.LevelInfo.
	Retry slog.Leveler

	// GiveUp is the level of the line for a call that fails and is not retried, also
	// after its first attempt. The caller gets the last response or error as well, and
	// knows better whether the program has to report an error. If nil, slog.LevelWarn.
	GiveUp slog.Leveler

	// Done is the level of the line for an attempt that another one has overtaken (see
	// insist.Hedge), and of the line for a call that was retried, and then succeeded or
	// was ended by a rule that accepts its result. If nil, there are no such lines.
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
