package insist

import (
	"cmp"
	"context"
	"iter"
	"net/http"
)

// scope is all that insist keeps in a context, under one key, so that a request
// pays for one look-up. Scopes nest: each points to the one around it.
type scope struct {
	context.Context
	outer   *scope
	edit    func(*Policy)
	record  *Record
	attempt *attempt
}

type scopeKey struct{}

func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func scopeOf(ctx context.Context) *scope {
	if v := ctx.Value(scopeKey{}); v != nil {
		return v.(*scope)
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
	return &scope{Context: ctx, outer: scopeOf(ctx), edit: edit}
}

// AttemptNumber returns the number of the attempt that a request with this
// context belongs to, counted from 1, for RoundTrippers below a RetryTransport
// (signers, tracers) and for Policy.Prepare. It returns 1 for any other context.
func AttemptNumber(ctx context.Context) int {
	for s := scopeOf(ctx); s != nil; s = s.outer {
		if s.attempt != nil {
			return int(s.attempt.number)
		}
	}
	return 1
}

// policy returns base, or a copy of it if there are edits.
func (s *scope) policy(base *Policy) *Policy {
	for e := s; e != nil; e = e.outer {
		if e.edit != nil {
			edited := *base
			s.apply(&edited)
			if b := edited.Budget; b != nil && b.standard {
				edited.Budget = base.Budget // a new one for each request bounds nothing
			}
			return &edited
		}
	}
	return base
}

func (s *scope) apply(p *Policy) {
	if s == nil {
		return
	}
	s.outer.apply(p)
	if s.edit != nil {
		s.edit(p)
	}
}

func (s *scope) recorded() *Record {
	for ; s != nil; s = s.outer {
		if s.record != nil {
			return s.record
		}
	}
	return nil
}

// numbered reports whether AttemptNumber would take a request with this context
// for some other request's attempt.
func (s *scope) numbered() bool {
	for ; s != nil; s = s.outer {
		if s.attempt != nil {
			return true
		}
	}
	return false
}

// covers reports whether a RetryTransport further out is at work on req. The
// mark names the request by method, host and path, since what stands between may
// copy it, sign it or add to its query; a token that is fetched with the same
// context is another request.
func (s *scope) covers(req *http.Request) bool {
	for ; s != nil; s = s.outer {
		if s.attempt == nil {
			continue
		}
		if m := &s.attempt.request; cmp.Or(m.Method, "GET") == cmp.Or(req.Method, "GET") &&
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
