package insist

import (
	"cmp"
	"context"
	"iter"
	"net/http"
)

// contextValue is all that insist keeps in a context, under one key, so that a request
// pays for one look-up. Values nest: each points to the one around it.
type contextValue struct {
	context.Context
	outer   *contextValue
	edit    func(*Policy)
	record  *Record
	attempt *outgoing
}

type contextKey struct{}

func (v *contextValue) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	return v.Context.Value(key)
}

func contextValueOf(ctx context.Context) *contextValue {
	if v := ctx.Value(contextKey{}); v != nil {
		return v.(*contextValue)
	}
	return nil
}

// EditPolicy returns a context whose requests are made under an edited copy of
// their RetryTransport's policy. Use it where one request needs other rules than
// the rest, also through an SDK that passes its context on. Edits nest: the
// outer one is made first. edit is called once for each request, on its
// goroutine. It has no effect on Do, Run, Func and Attempts, which are given
// their policy. A nil edit changes nothing.
func EditPolicy(ctx context.Context, edit func(*Policy)) context.Context {
	return &contextValue{Context: ctx, outer: contextValueOf(ctx), edit: edit}
}

// AttemptNumber returns the number of the attempt that a request with this
// context belongs to, counted from 1, for RoundTrippers below a RetryTransport
// (signers, tracers) and for Policy.Prepare. It returns 1 for any other context.
func AttemptNumber(ctx context.Context) int {
	for v := contextValueOf(ctx); v != nil; v = v.outer {
		if v.attempt != nil {
			return int(v.attempt.Number)
		}
	}
	return 1
}

// policy returns base, or a copy of it if there are edits.
func (v *contextValue) policy(base *Policy) *Policy {
	for e := v; e != nil; e = e.outer {
		if e.edit != nil {
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
	if v.edit != nil {
		v.edit(p)
	}
}

func (v *contextValue) recorded() *Record {
	for ; v != nil; v = v.outer {
		if v.record != nil {
			return v.record
		}
	}
	return nil
}

// isAttempt reports whether AttemptNumber would take a request with this context
// for some other request's attempt.
func (v *contextValue) isAttempt() bool {
	for ; v != nil; v = v.outer {
		if v.attempt != nil {
			return true
		}
	}
	return false
}

// isAttemptOf reports whether a RetryTransport further out is at work on req. The
// mark names the request by method, host and path, since what stands between may
// copy it, sign it or add to its query; a token that is fetched with the same
// context is another request.
func (v *contextValue) isAttemptOf(req *http.Request) bool {
	for ; v != nil; v = v.outer {
		if v.attempt == nil {
			continue
		}
		if m := &v.attempt.Request; cmp.Or(m.Method, "GET") == cmp.Or(req.Method, "GET") &&
			m.URL.Host == req.URL.Host && m.URL.Path == req.URL.Path {
			return true
		}
	}
	return false
}

// wraps reports whether there is a RetryTransport beneath rt, as far as the
// wrappers tell.
func wraps(rt http.RoundTripper) bool {
	for rt := range unwrap(rt) {
		if _, ok := rt.(*RetryTransport); ok {
			return true
		}
	}
	return false
}

// unwrap yields rt and what it wraps (WrappedRoundTripper is Kubernetes'
// convention).
func unwrap(rt http.RoundTripper) iter.Seq[http.RoundTripper] {
	return func(yield func(http.RoundTripper) bool) {
		for range 32 { // a wrapper that wraps itself is not ours to hang on
			if !yield(rt) {
				return
			}
			w, ok := rt.(interface{ WrappedRoundTripper() http.RoundTripper })
			if !ok {
				return
			}
			rt = w.WrappedRoundTripper()
		}
	}
}
