package insist

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEditsNestAndLeaveThePolicyAlone(t *testing.T) {
	b := script(status(503))
	rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}
	ctx := EditPolicy(t.Context(), func(p *Policy) { p.MaxAttempts = 2 })
	send := func(ctx context.Context) int {
		before := len(b.Arrivals())
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		return len(b.Arrivals()) - before
	}
	assert.Equal(t, 2, send(ctx))
	assert.Equal(t, 20, send(EditPolicy(ctx, func(p *Policy) { p.MaxAttempts *= 10 })), "the outer edit goes first")
	assert.Equal(t, 1, send(EditPolicy(ctx, func(p *Policy) { p.Disabled = true })))
	assert.Equal(t, 2, send(EditPolicy(ctx, nil)))
	assert.Equal(t, 3, send(t.Context()))
}

func TestAttemptNumberIsForWhatIsBelow(t *testing.T) {
	var below numbers
	b := layer{script(status(503), status(503), status(200)), below.note}
	ctx := t.Context()
	_, err := (&RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}).RoundTrip(request(t, "GET", "http://x/", nil))
	require.NoError(t, err)
	assert.Equal(t, numbers{1, 2, 3}, below)
	assert.Equal(t, 1, AttemptNumber(ctx))
}

// numbers are those of the attempts that a layer has passed on.
type numbers []int

func (n *numbers) note(r *http.Request) *http.Request {
	*n = append(*n, AttemptNumber(r.Context()))
	return r
}

// layer is a RoundTripper between two others.
type layer struct {
	http.RoundTripper
	change func(*http.Request) *http.Request
}

func (l layer) RoundTrip(r *http.Request) (*http.Response, error) {
	return l.RoundTripper.RoundTrip(l.change(r))
}

// seeThrough is a layer that can be looked through.
type seeThrough struct{ layer }

func (l seeThrough) WrappedRoundTripper() http.RoundTripper { return l.layer.RoundTripper }

func TestNestedTransportsDoNotMultiply(t *testing.T) {
	same := func(r *http.Request) *http.Request { return r }
	signed := func(r *http.Request) *http.Request {
		r = r.Clone(r.Context())
		r.Header.Set("Signature", "x")
		r.URL.RawQuery = "signature=x"
		return r
	}
	quick := Policy{Backoff: Constant(0)}
	for _, c := range []struct {
		name    string
		between func(http.RoundTripper) http.RoundTripper
		outer   Policy
		method  string
		want    int
	}{
		{"directly", func(rt http.RoundTripper) http.RoundTripper { return rt }, quick, "GET", 3},
		{"through a wrapper", func(rt http.RoundTripper) http.RoundTripper { return seeThrough{layer{rt, same}} }, quick, "GET", 3},
		{"through a signer", func(rt http.RoundTripper) http.RoundTripper { return seeThrough{layer{rt, signed}} }, quick, "GET", 3},
		{"through a closed wrapper: M+N-1", func(rt http.RoundTripper) http.RoundTripper { return layer{rt, same} }, quick, "GET", 5},
		{"through a closed wrapper, copied", func(rt http.RoundTripper) http.RoundTripper { return layer{rt, signed} }, quick, "POST", 3},
		{"the outer one decides", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{MaxAttempts: 2, Backoff: Constant(0)}, "GET", 2},
		{"the outer one is off", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{Disabled: true}, "GET", 3},
		{"the outer one makes one attempt", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{MaxAttempts: 1}, "GET", 3},
		{"one attempt that is guarded", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{MaxAttempts: 1}, "POST", 3},
		{"one attempt that is guarded, through a closed wrapper", func(rt http.RoundTripper) http.RoundTripper { return layer{rt, signed} }, Policy{MaxAttempts: 1}, "POST", 3},
		{"one attempt with a time limit", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{MaxAttempts: 1, PerAttemptTimeout: time.Minute}, "GET", 3},
		{"one attempt with a time limit, through a closed wrapper", func(rt http.RoundTripper) http.RoundTripper { return layer{rt, signed} },
			Policy{MaxAttempts: 1, PerAttemptTimeout: time.Minute}, "GET", 3},
		{"one attempt that is looked into", func(rt http.RoundTripper) http.RoundTripper { return rt }, Policy{MaxAttempts: 1, RetryableBody: JSONFieldNot("/ok", true)}, "GET", 3},
		{"one attempt with a key", func(rt http.RoundTripper) http.RoundTripper { return rt },
			Policy{MaxAttempts: 1, IdempotencyKey: func(*http.Request) string { return "k" }}, "POST", 3},
	} {
		for _, url := range []string{"http://x/p", "https://x/p"} { // for HTTP/2, a POST is guarded in another way
			for _, body := range []io.Reader{nil, strings.NewReader("hello")} {
				b := script(status(503))
				inner := &RetryTransport{Base: b, Policy: quick}
				_, err := (&RetryTransport{Base: c.between(inner), Policy: c.outer}).RoundTrip(request(t, c.method, url, body))
				require.NoError(t, err, c.name)
				assert.Len(t, b.Arrivals(), c.want, c.name)
			}
		}
	}
}

// TestASingleAttemptIsGuarded: net/http does not repeat a request that is sent with a body
// which has no GetBody. A RetryTransport below guards what it sends, unless it is disabled.
func TestASingleAttemptIsGuarded(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		var sent []*http.Request
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, req)
			return response(200), nil
		})
		inner := &RetryTransport{Base: base, Policy: Policy{Disabled: disabled}}
		outer := Policy{MaxAttempts: 1, Idempotent: func(*http.Request) bool { return false }}
		_, err := (&RetryTransport{Base: inner, Policy: outer}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, disabled, sent[0].Body != nil)
	}
}

func TestAWrapperOfItselfIsNotFollowedForEver(t *testing.T) {
	var loop selfWrapper
	assert.False(t, wraps(&loop))
}

type selfWrapper struct{}

func (s *selfWrapper) RoundTrip(*http.Request) (*http.Response, error) { return nil, errLost }

func (s *selfWrapper) WrappedRoundTripper() http.RoundTripper { return s }

// A token that a layer fetches with its request's context is a call of its own.
func TestAnotherRequestWithTheSameContextIsNotNested(t *testing.T) {
	tokens, api := script(status(503), status(503), status(200)), script(status(503), status(200))
	var below numbers
	inner := &RetryTransport{Base: layer{tokens, below.note}, Policy: Policy{Backoff: Constant(0)}}
	between := func(r *http.Request) *http.Request {
		_, err := inner.RoundTrip(request(t, "GET", "http://x/token", nil).WithContext(r.Context()))
		require.NoError(t, err)
		return r
	}
	outer := &RetryTransport{Base: layer{api, between}, Policy: Policy{Backoff: Constant(0)}}
	_, err := outer.RoundTrip(request(t, "POST", "http://x/api", nil))
	require.NoError(t, err)
	assert.Len(t, api.Arrivals(), 2)
	assert.Len(t, tokens.Arrivals(), 3+1)
	assert.Equal(t, 1, below[3], "the token's first attempt within the request's second")
}

// A token that Prepare fetches is a call of its own, however much its request is like
// the one that it is for: that is not in flight yet.
func TestATokenThatPrepareFetchesIsNotNested(t *testing.T) {
	tokens, api := script(status(503), status(200)), script(status(401), status(200))
	auth := &RetryTransport{Base: tokens, Policy: Policy{Backoff: Constant(0)}}
	outer := &RetryTransport{Base: api, Policy: Policy{Backoff: Constant(0), Prepare: func(r *http.Request, _ *http.Response, _ error) error {
		resp, err := auth.RoundTrip(request(t, "GET", "http://auth/token", nil).WithContext(r.Context()))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		return nil
	}}}
	resp, err := outer.RoundTrip(request(t, "GET", "http://x/api", nil))
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Len(t, tokens.Arrivals(), 2)
}

func TestHookAndRecordTellEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(r *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			return nil, errLost
		}
		ctx, record := WithRecord(t.Context())
		ctx, second := WithRecord(ctx)
		var told []Attempt
		rt := &RetryTransport{Base: script(slow, status(503, "Retry-After", "3"), status(200)), Policy: Policy{
			OnAttempt: func(got context.Context, a Attempt) {
				assert.Equal(t, ctx, got, "the caller's context")
				told = append(told, a)
			},
		}}
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		want := []Attempt{
			{Number: 1, Method: "GET", Host: "x", Err: errLost, Duration: 300 * time.Millisecond, Wait: 2 * time.Second, Retry: true, Reason: ReasonError},
			{Number: 2, Method: "GET", Host: "x", Status: 503, Wait: 3 * time.Second, Retry: true, Reason: ReasonStatus},
			{Number: 3, Method: "GET", Host: "x", Status: 200, Reason: ReasonSuccess},
		}
		assert.Equal(t, want, told)
		assert.Equal(t, [][]Attempt{want}, record.Calls())
		assert.Equal(t, [][]Attempt{want}, second.Calls())

		_, err = rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Len(t, record.Calls(), 2, "a list per call")
		assert.Len(t, record.Calls()[1], 1)
	})
}

// TestACallFromAResponseIsACallOfItsOwn: a base that copies the request leaves the
// copy, and its context, in resp.Request; the next page is asked for from there.
func TestACallFromAResponseIsACallOfItsOwn(t *testing.T) {
	copies := func(r *http.Request) *http.Request { return r.Clone(r.Context()) }
	for _, method := range []string{"GET", "POST"} {
		for name, p := range map[string]Policy{
			"plain": {Backoff: Constant(0)}, "timed": {Backoff: Constant(0), PerAttemptTimeout: time.Hour},
		} {
			for _, first := range []int{200, 503} {
				ctx, record := WithRecord(t.Context())
				b := script(status(first), status(200), status(503), status(503), status(200))
				if first == 200 {
					b = script(status(200), status(503), status(503), status(200))
				}
				rt := &RetryTransport{Base: layer{responds{b}, copies}, Policy: p}
				resp, err := rt.RoundTrip(request(t, method, "http://x/", nil).WithContext(ctx))
				require.NoError(t, err)
				require.NotNil(t, resp.Request)
				assert.NoError(t, resp.Request.Context().Err(), name)
				assert.Equal(t, 1, AttemptNumber(resp.Request.Context()), name)
				resp.Body.Close()
				before := len(b.Arrivals())
				resp, err = rt.RoundTrip(resp.Request.Clone(resp.Request.Context()))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode, "%s %s", method, name)
				assert.Len(t, b.Arrivals(), before+3)
				assert.Len(t, record.Calls(), 2)
				resp.Body.Close()
			}
		}
	}
}

// responds sets the request that it was given, as net/http does.
type responds struct{ http.RoundTripper }

func (b responds) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// TestAMarkHoldsThroughOtherHostsAndPaths.
func TestAMarkHoldsThroughOtherHostsAndPaths(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"host":   func(r *http.Request) { r.URL.Host = "other.test" },
		"path":   func(r *http.Request) { r.URL.Path = "/v2" + r.URL.Path },
		"both":   func(r *http.Request) { r.URL.Host, r.URL.Path = "other.test", "/" },
		"signed": func(r *http.Request) { r.URL.Host = "other.test"; r.Header.Set("Signature", "x") },
	} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, seen := range []bool{true, false} {
				b := script(status(503))
				inner := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}}
				l := layer{inner, func(r *http.Request) *http.Request { r = r.Clone(r.Context()); change(r); return r }}
				var between http.RoundTripper = l
				want := 5 // M+N-1: a closed wrapper's first attempt is not marked
				if method == "POST" {
					want = 3
				}
				if seen {
					between, want = seeThrough{l}, 3
				}
				req := request(t, method, "http://x/p", nil)
				req.Header.Set("A", "b")
				_, err := (&RetryTransport{Base: between, Policy: Policy{Backoff: Constant(0)}}).RoundTrip(req)
				require.NoError(t, err)
				assert.Len(t, b.Arrivals(), want, "%s %s %v", name, method, seen)
			}
		}
	}
}

// TestAFunctionKnowsItsAttempt by its context; a request that it makes counts anew.
func TestAFunctionKnowsItsAttempt(t *testing.T) {
	var outer, below numbers
	rt := &RetryTransport{Base: layer{script(status(503), status(200)), below.note}, Policy: Policy{Backoff: Constant(0)}}
	err := Run(t.Context(), Policy{Backoff: Constant(0)}, func(ctx context.Context) error {
		outer = append(outer, AttemptNumber(ctx))
		_, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		return errLost
	})
	assert.ErrorIs(t, err, errLost)
	assert.Equal(t, numbers{1, 2, 3}, outer)
	assert.Equal(t, numbers{1, 2, 1, 1}, below)
	var inner numbers
	err = Run(t.Context(), Policy{MaxAttempts: 2, Backoff: Constant(0)}, func(ctx context.Context) error {
		return Run(ctx, Policy{MaxAttempts: 2, Backoff: Constant(0)}, func(ctx context.Context) error {
			inner = append(inner, AttemptNumber(ctx))
			return errLost
		})
	})
	assert.ErrorIs(t, err, errLost)
	assert.Equal(t, numbers{1, 2, 1, 2}, inner, "a function within a function")
	double := Func(Policy{Backoff: Constant(0)}, func(ctx context.Context, n int) (int, error) {
		return n * AttemptNumber(ctx), nil
	}, func(v int) bool { return v < 6 })
	v, err := double(t.Context(), 2)
	assert.NoError(t, err)
	assert.Equal(t, 6, v)
}
