package insist

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Attempt is what one attempt came to. It keeps neither request nor response
// alive, and holds no path, query, header or body. Its String and Class are safe
// to log; its Err is the base's or the function's own, with whatever text that
// has.
type Attempt struct {
	// Number counts the attempts of a call from 1.
	Number int

	// Method is the request's method. Empty means that the attempt was a
	// function's.
	Method string

	// Host is the host of the request's URL, and the port if that has one. Empty
	// means that the attempt was a function's.
	Host string

	// Status is the status code of the response. Zero means that none came, or
	// that the attempt was a function's.
	Status int

	// Err is the attempt's error. With a Status it is the one in which the body
	// broke off. If nil, the attempt ended in a response or a value.
	Err error

	// Duration is how long the attempt took, until its outcome was judged.
	Duration time.Duration

	// Wait is the wait before the next attempt; where Retry is false, the wait
	// that was asked for and not begun. Zero means none.
	Wait time.Duration

	// Retry reports whether another attempt follows.
	Retry bool

	// Reason says why another attempt follows, or why none does.
	Reason Reason

	// Amended reports that this takes the place of what was told of the same
	// attempt before: its wait was cut short, or its body broke off and is to be
	// resumed. Zero means that this is the first that is told of it.
	Amended bool
}

// GaveUp reports whether the call ended with this attempt although it failed: not
// with a success, nor because a rule decided to keep its result.
func (a Attempt) GaveUp() bool {
	return !a.Retry && a.Reason != ReasonSuccess && a.Reason != ReasonDecision
}

// Reason says why another attempt was made, or why none was.
type Reason string

const (
	// ReasonSuccess ends a call: no rule asked for another attempt.
	ReasonSuccess Reason = "success"

	// ReasonStatus asks for another attempt: RetryableStatus.
	ReasonStatus Reason = "status"

	// ReasonError means an error: one that may pass asks for another attempt, one
	// that another attempt would meet again ends the call.
	ReasonError Reason = "error"

	// ReasonCondition asks for another attempt: a condition on the result.
	ReasonCondition Reason = "condition"

	// ReasonDecision means that Classify decided, or the server by its
	// x-should-retry header, or the body of a loop by leaving it.
	ReasonDecision Reason = "decision"

	// ReasonMaybeDone ends a call: the request is not idempotent, and the server
	// may have acted on it.
	ReasonMaybeDone Reason = "may have taken effect"

	// ReasonBody ends a call: the request body can't be sent again in full. It
	// was longer than MaxReplayBytes, its reader failed, or GetBody did.
	ReasonBody Reason = "request body can't be sent again"

	// ReasonAttempts ends a call: MaxAttempts have been made.
	ReasonAttempts Reason = "attempts used up"

	// ReasonWait ends a call: the wait would not have ended before the context's
	// deadline, or not within MaxElapsed, or a longer one was asked for than
	// MaxRetryAfter allows.
	ReasonWait Reason = "wait too long"

	// ReasonBudget ends a call: its Budget had no retry left.
	ReasonBudget Reason = "budget used up"

	// ReasonContext ends a call: its context ended.
	ReasonContext Reason = "context ended"
)

// Record is the list of attempts of each call that was made with its context.
// It may be read at any time, from any goroutine.
type Record struct {
	outer *Record // of the context that this one's was made from
	mu    sync.Mutex
	calls []*callRecord
}

type callRecord struct {
	attempts []Attempt
	outer    *callRecord // the same call on the outer record
}

// WithRecord returns a context whose calls are put on record, and that record.
// Use it to see afterwards, on success too, what a call took. Redirects and
// parallel requests share the context, and have a list each. If ctx has a record
// already, both are written.
func WithRecord(ctx context.Context) (context.Context, *Record) {
	outer := scopeOf(ctx)
	r := &Record{outer: outer.recorded()}
	return &scope{Context: ctx, outer: outer, record: r}, r
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

// add puts a on the list of call, which is nil before the first attempt. An
// attempt that is told of again takes its former place.
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

// teller tells whoever asked about the attempts of one call. Where nobody did it
// costs nothing, not even the time of day.
type teller struct {
	ctx    context.Context
	hook   func(context.Context, Attempt)
	record *Record
	call   *callRecord
	before int // attempts that were told of before this call's first
	last   Attempt
	start  time.Time
}

func newTeller(ctx context.Context, s *scope, p *Policy, start time.Time) teller {
	return teller{ctx: ctx, hook: p.OnAttempt, record: s.recorded(), start: start}
}

func (t *teller) asked() bool { return t.hook != nil || t.record != nil }

func (t *teller) begin() {
	if t.asked() {
		t.start = time.Now()
	}
}

func (t *teller) tell(o *outcome, r ruling) {
	if !t.asked() {
		return
	}
	before := t.last
	t.last = Attempt{
		Number: t.before + o.number, Err: o.err, Duration: time.Since(t.start),
		Wait: r.wait, Retry: r.retry, Reason: r.reason,
	}
	if before.Number == t.last.Number {
		t.last.Status, t.last.Amended = before.Status, true
	}
	if o.req != nil {
		t.last.Method, t.last.Host = cmp.Or(o.req.Method, http.MethodGet), o.host
	}
	if o.resp != nil {
		t.last.Status = o.resp.StatusCode
	}
	t.publish()
}

// amend tells of the last attempt again, whose retry came to nothing.
func (t *teller) amend(why Reason) {
	if t.asked() && t.last.Number > 0 {
		t.last.Retry, t.last.Reason, t.last.Amended = false, why, true
		t.publish()
	}
}

func (t *teller) publish() {
	if t.record != nil {
		t.call = t.record.add(t.call, t.last)
	}
	if t.hook != nil {
		t.hook(t.ctx, t.last)
	}
}
