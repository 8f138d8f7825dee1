package insist

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is the list of attempts of each call that was made with its context.
// It may be read at any time, from any goroutine.
type Record struct {
	outer *Record // of the parent context; nil if that has none
	mu    sync.Mutex
	calls []*callRecord
}

type callRecord struct {
	attempts []Attempt
	outer    *callRecord // the same call on the outer record
}

// WithRecord returns a context whose calls are put on record, and that record. Use it to
// see afterwards how many attempts a call took and why, also if it succeeded. Redirects
// and parallel requests share the context, and each has its own list. If ctx has a
// record already, both are written.
func WithRecord(ctx context.Context) (context.Context, *Record) {
	outer := contextValueOf(ctx)
	r := &Record{outer: outer.record()}
	return &contextValue{Context: ctx, outer: outer, what: r}, r
}

// Calls returns the attempts of each call, in the order in which the calls'
// first attempts ended. The slices are the caller's to keep.
func (r *Record) Calls() [][]Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([][]Attempt, len(r.calls))
	for i, c := range r.calls {
		all[i] = slices.Clone(c.attempts)
	}
	return all
}

// add appends a to the list of call, which is nil before the first attempt. If the last
// attempt on the list is reported again, a replaces it.
func (r *Record) add(call *callRecord, a Attempt) *callRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	if call == nil {
		call = new(callRecord)
		r.calls = append(r.calls, call)
	}
	if r.outer != nil {
		call.outer = r.outer.add(call.outer, a)
	}
	if n := len(call.attempts); n > 0 && call.attempts[n-1].Number == a.Number {
		call.attempts[n-1] = a
	} else {
		call.attempts = append(call.attempts, a)
	}
	return call
}

// LogValue returns the attempts of all calls, safe to log, for log/slog.
func (r *Record) LogValue() slog.Value { return slog.AnyValue(r.Calls()) }

// MarshalJSON returns an array of calls, each of them an array of attempts (see
// Attempt.MarshalJSON), safe to log.
func (r *Record) MarshalJSON() ([]byte, error) { return json.Marshal(r.Calls()) }

// GoString is String.
func (r *Record) GoString() string { return r.String() }

// String returns all calls in one line, safe to log. It shows why a call took so long:
//
//	GET api.example.com: 2 attempts in 1.092s: 503 after 12ms (status), wait 1s; 200 after 80ms (success)
//
// If the Policy has a Name, the line begins with it ("publish: 2 attempts in …"). It has
// the method and host of a request, but no path, query, header or body. Calls are
// separated by " | ".
func (r *Record) String() string {
	var calls []string
	for _, attempts := range r.Calls() {
		took := spanOf(attempts)
		var each []string
		for _, a := range attempts {
			each = append(each, a.String())
		}
		plural := "s"
		if len(attempts) == 1 {
			plural = ""
		}
		calls = append(calls, fmt.Sprintf("%s%d attempt%s in %v: %s",
			attempts[0].call(), len(attempts), plural, rounded(took), strings.Join(each, "; ")))
	}
	return cmp.Or(strings.Join(calls, " | "), "no attempts")
}

// call names the call that the attempt belongs to: "GET api.example.com: ", "publish: ",
// or "publish GET api.example.com: ". It is empty for a function without a name.
func (a Attempt) call() string {
	var parts []string
	if a.Name != "" {
		parts = append(parts, a.Name)
	}
	if a.Method != "" {
		parts = append(parts, a.Method, a.Host)
	}
	if parts == nil {
		return ""
	}
	return strings.Join(parts, " ") + ": "
}

// spanOf returns the time from the beginning of a call's first attempt to the end of the
// attempt that ended last, waits included. The attempts of a race overlap, and are
// listed in the order in which they ended, so they are sorted first.
func spanOf(attempts []Attempt) (span time.Duration) {
	var begun time.Duration // when the attempt before began
	byNumber := func(a, b Attempt) int { return cmp.Compare(a.Number, b.Number) }
	for _, a := range slices.SortedStableFunc(slices.Values(attempts), byNumber) {
		if a.Beside > 0 {
			begun += a.Beside
		} else {
			begun = span + a.Held
		}
		ended := begun + a.Duration
		if a.Retry {
			ended += a.Wait
		}
		span = max(span, ended)
	}
	return span
}

// reporter reports the attempts of one call to the hook and the record. If there is
// neither, it does nothing, and doesn't read the clock.
type reporter struct {
	ctx    context.Context
	hook   func(context.Context, Attempt)
	record *Record
	call   *callRecord
	before int // attempts that were reported before this call's first
	last   Attempt
	start  time.Time
}

func newReporter(ctx context.Context, v *contextValue, p *Policy) reporter {
	return reporter{ctx: ctx, hook: p.OnAttempt, record: v.record(), last: Attempt{Name: p.Name}}
}

func (r *reporter) isOn() bool { return r.hook != nil || r.record != nil }

func (r *reporter) begin() {
	if r.isOn() {
		r.start = time.Now()
	}
}

func (r *reporter) report(o *outcome, a action) {
	if !r.isOn() {
		return
	}
	before := r.last
	r.last = Attempt{
		Number: r.before + o.number, Name: before.Name, Err: o.err, Duration: time.Since(r.start), Beside: o.beside, Held: o.held,
		Wait: a.wait, Retry: a.retry, Reason: a.reason,
		ConnRetired: o.retired,
	}
	if before.Number == r.last.Number {
		r.last.Status, r.last.Amended = before.Status, true
	}
	if o.req != nil {
		r.last.Method, r.last.Host = cmp.Or(o.req.Method, http.MethodGet), o.host
	}
	if o.resp != nil {
		r.last.Status = o.resp.StatusCode
	}
	r.publish()
}

// amend reports the last attempt again, with why no attempt followed it after all.
func (r *reporter) amend(why Reason) {
	if r.isOn() && r.last.Number > 0 {
		r.last.Retry, r.last.Reason, r.last.Amended = false, why, true
		r.publish()
	}
}

func (r *reporter) publish() {
	if r.record != nil {
		r.call = r.record.add(r.call, r.last)
	}
	if r.hook != nil {
		r.hook(r.ctx, r.last)
	}
}
