package insist

import (
	"cmp"
	"context"
	"iter"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
)

// contextValue is what insist keeps in a context. There is one key for everything, so
// that a request costs one look-up. Values nest: each points to the one around it.
type contextValue struct {
	context.Context
	outer *contextValue
	what  any // editFunc, *Record, *outgoing (an attempt's mark), or functionAttempt
}

type editFunc func(*Policy)

// functionAttempt is the number of a function's attempt.
type functionAttempt int

type contextKey struct{}

func (v *contextValue) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	if neterr.IsTraceKey(key) {
		if out, ok := v.what.(*outgoing); ok {
			if trace := out.tracker.Trace(v.Context, nil); trace != nil {
				return trace
			}
		}
	}
	return v.Context.Value(key)
}

func contextValueOf(ctx context.Context) *contextValue {
	if v := ctx.Value(contextKey{}); v != nil {
		return v.(*contextValue)
	}
	return nil
}

// EditPolicy returns a context whose requests use an edited copy of their
// RetryTransport's policy. Use it if one request needs other rules than the rest, also
// through an SDK that passes its context on. Edits nest: the outer one is made first.
// edit is called once for each request, on the goroutine that called RoundTrip. It has
// no effect on Do, Run, Func and Attempts, which are given their policy. A nil edit
// changes nothing.
func EditPolicy(ctx context.Context, edit func(*Policy)) context.Context {
	return &contextValue{Context: ctx, outer: contextValueOf(ctx), what: editFunc(edit)}
}

// AttemptNumber returns the number of the attempt, counted from 1, that ctx belongs
// to: in a RoundTripper below a RetryTransport (a signer, a tracer) and in
// Policy.Prepare the request's attempt, in a function under Do, Run or Func the
// function's. It returns 1 for any other context. In a loop over Attempts use
// Try.Number: AttemptNumber does not know the context of a Try.
func AttemptNumber(ctx context.Context) int {
	for v := contextValueOf(ctx); v != nil; v = v.outer {
		if n := v.attemptNumber(); n != 0 {
			return n
		}
	}
	return 1
}

// policy returns base, or a copy of it if there are edits.
func (v *contextValue) policy(base *Policy) *Policy {
	for e := v; e != nil; e = e.outer {
		if edit, _ := e.what.(editFunc); edit != nil {
			edited := *base
			v.apply(&edited)
			if b := edited.Budget; b != nil && b.standard {
				edited.Budget = base.Budget // a new one for each request bounds nothing
			}
			return &edited
		}
	}
	return base
}

func (v *contextValue) apply(p *Policy) {
	if v == nil {
		return
	}
	v.outer.apply(p)
	if edit, _ := v.what.(editFunc); edit != nil {
		edit(p)
	}
}

func (v *contextValue) record() *Record {
	for ; v != nil; v = v.outer {
		if r, ok := v.what.(*Record); ok {
			return r
		}
	}
	return nil
}

// isAttempt reports whether v is within the context of an attempt. AttemptNumber would
// then return that attempt's number for a request that has no mark of its own.
func (v *contextValue) isAttempt() bool {
	for ; v != nil; v = v.outer {
		if v.attemptNumber() != 0 {
			return true
		}
	}
	return false
}

// attemptNumber returns the number of the attempt that v itself marks, or zero if it
// marks none.
func (v *contextValue) attemptNumber() int {
	switch a := v.what.(type) {
	case *outgoing:
		return int(a.Number)
	case functionAttempt:
		return int(a)
	}
	return 0
}

// isIn reports whether v, or a value around it, is the mark of out.
func (v *contextValue) isIn(out *outgoing) bool {
	for ; v != nil; v = v.outer {
		if a, ok := v.what.(*outgoing); ok && a == out {
			return true
		}
	}
	return false
}

// isAttemptOf reports whether req is an attempt that an outer RetryTransport has in
// flight. Then only the outer one retries, unless it makes only one attempt. A mark
// counts only while the base's RoundTrip runs. Before, Prepare may use the context to
// fetch a token; afterwards, the caller may use that of resp.Request: these are calls of
// their own.
func (v *contextValue) isAttemptOf(req *http.Request) bool {
	for ; v != nil; v = v.outer {
		if out, ok := v.what.(*outgoing); ok && !out.single && out.inFlight.Load() && isFrom(req, &out.Request) {
			return true
		}
	}
	return false
}

// isFrom reports whether a layer between two RetryTransports made req from sent: by
// copying, signing or redirecting it, or by adding to its query. A request that the
// layer makes with the same context for something else, such as a token, is not from
// sent: it has another method, or lacks some of sent's headers, all of which a copy
// would have.
func isFrom(req, sent *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && reqbody.Same(req.Body, sent.Body) {
		return true
	}
	if cmp.Or(req.Method, http.MethodGet) != cmp.Or(sent.Method, http.MethodGet) {
		return false
	}
	if req.URL != nil && sent.URL != nil && req.URL.Host == sent.URL.Host && req.URL.Path == sent.URL.Path {
		return true
	}
	for key := range sent.Header {
		if _, ok := req.Header[key]; !ok {
			return false
		}
	}
	return true
}

// wraps reports whether rt is, or wraps, a RetryTransport, as far as
// WrappedRoundTripper tells.
func wraps(rt http.RoundTripper) bool {
	switch rt := rt.(type) {
	case *http.Transport: // as for most calls
		return false
	case *RetryTransport:
		return true
	case wrapper:
		return wrapsBelow(rt)
	}
	return false
}

func wrapsBelow(w wrapper) bool {
	for rt := range unwrap(w.WrappedRoundTripper()) {
		if _, ok := rt.(*RetryTransport); ok {
			return true
		}
	}
	return false
}

// retries reports whether rt is, or wraps, a RetryTransport that retries, as far as
// WrappedRoundTripper tells.
func retries(rt http.RoundTripper) bool {
	for below := range unwrap(rt) {
		if t, ok := below.(*RetryTransport); ok && !t.Policy.Disabled {
			return true
		}
	}
	return false
}

// innermost returns the RoundTripper below all wrappers of rt, as far as
// WrappedRoundTripper tells.
func innermost(rt http.RoundTripper) http.RoundTripper {
	for below := range unwrap(rt) {
		rt = below
	}
	return rt
}

// wrapper is the convention of Kubernetes for a RoundTripper that wraps another.
type wrapper interface{ WrappedRoundTripper() http.RoundTripper }

// unwrap yields rt, what it wraps, what that wraps, and so on.
func unwrap(rt http.RoundTripper) iter.Seq[http.RoundTripper] {
	return func(yield func(http.RoundTripper) bool) {
		for range 32 { // a bound, since a wrapper may wrap itself
			if !yield(rt) {
				return
			}
			w, ok := rt.(wrapper)
			if !ok {
				return
			}
			rt = w.WrappedRoundTripper()
		}
	}
}
