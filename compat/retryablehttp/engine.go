package retryablehttp

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist"
)

// This file has all that is said to the engine.

// EditPolicy edits the policy of each request before it is sent. req is that
// request, and is not to be changed. Set it before the first request is made; it
// holds for all Clients, while insist.EditPolicy edits the policy of one context.
// Use it for what Client has no field for, or to bring the original's rules back:
//
//	retryablehttp.EditPolicy = func(req *http.Request, p *insist.Policy) {
//		p.OnAttempt = sloginsist.Hook{}.OnAttempt // see what an SDK's retries do
//		p.NonIdempotent = insist.ResendEvenIfLost // a POST may be carried out twice
//		p.MaxRetryAfter = math.MaxInt64           // wait for days if a server says so
//	}
//
// MaxAttempts is Client.RetryMax+1, Backoff the Client's, NonIdempotent is
// insist.ResendOnlyUnsent, and MaxRetryAfter 5 minutes; RetryableStatus and
// RetryableError ask CheckRetry. If nil, that is the policy.
var EditPolicy func(req *http.Request, policy *insist.Policy)

// maxRetryAfter is longer than the limits per minute that a Retry-After is mostly
// about. A program that waits for longer looks as if it hung.
const maxRetryAfter = 5 * time.Minute

// exchange lets the engine make one call: base makes its attempts.
func (c *call) exchange(first *http.Request) (*http.Response, error) {
	if c.ctx.Err() != nil { // the engine would make none, and CheckRetry is to be asked
		return c.RoundTrip(first)
	}
	retry := &insist.RetryTransport{Base: c, Policy: c.policy(first)}
	return retry.RoundTrip(first)
}

// WrappedRoundTripper lets the engine see whether an insist.RetryTransport is the
// http.Client's own. That one passes the attempts on.
func (c *call) WrappedRoundTripper() http.RoundTripper {
	if c.http.Transport == nil {
		return http.DefaultTransport
	}
	return c.http.Transport
}

func (c *call) policy(first *http.Request) insist.Policy {
	p := insist.Policy{
		MaxAttempts:   attempts(c.client.RetryMax),
		Backoff:       c.wait,
		MaxRetryAfter: maxRetryAfter,
		NonIdempotent: insist.ResendOnlyUnsent,
		// A gate of the engine is passed by what Classify decides, not by these.
		RetryableStatus: func(int) bool { return c.last.retry },
		RetryableError:  c.retryable,
		Classify:        c.classify,
	}
	if b := c.request.body; b != nil && b.open == nil && b.long {
		p.MaxReplayBytes = -1 // it is too long to be kept
	}
	if EditPolicy != nil {
		EditPolicy(first, &p)
	}
	if edited := p.OnAttempt; c.log.on() {
		p.OnAttempt = func(ctx context.Context, a insist.Attempt) {
			c.logRetry(a)
			if edited != nil {
				edited(ctx, a)
			}
		}
	}
	if edited := p.Prepare; c.client.RequestLogHook != nil || c.client.PrepareRetry != nil {
		p.Prepare = func(out *http.Request, last *http.Response, err error) error {
			if err := c.prepare(out); err != nil || edited == nil {
				return err
			}
			return edited(out, last, err)
		}
	}
	return p
}

// retryable tells what CheckRetry said about an attempt's error, or asks it about
// one in which a response's body has broken off.
func (c *call) retryable(err error) bool {
	if c.last.bare != nil && same(err, c.last.bare) {
		return c.last.retry
	}
	retry, _ := c.check(c.ctx, nil, err)
	return retry
}

// classify decides as CheckRetry did where the engine has rules of its own.
func (c *call) classify(req *http.Request, resp *http.Response, _ error, _ int) insist.Decision {
	if resp == nil {
		return insist.Decision{}
	}
	_, says := resp.Header["X-Should-Retry"]
	switch {
	case !c.last.retry && (says || resp.StatusCode == http.StatusExpectationFailed):
		return insist.Decision{Verdict: insist.Stop}
	case c.last.retry && resp.StatusCode < 200 && insist.IsIdempotent(req): // no status at all
		return insist.Decision{Verdict: insist.Retry}
	}
	return insist.Decision{}
}

func (c *call) logRetry(a insist.Attempt) {
	if a.Retry {
		c.log.retrying(c.request.Request, a.Status, a.Wait, c.client.RetryMax-c.tries+1)
	}
}

// ended reports whether err is the engine's own, since the call ended between two
// attempts, and why it did. cause is nil if the caller's context has ended.
func (c *call) ended(err error) (cause error, own bool) {
	why, ok := err.(*insist.Error)
	switch {
	case !ok || err == c.last.bare:
		return nil, false
	case why.Reason == insist.ReasonContext:
		return nil, true
	}
	return cmp.Or(c.prepareErr, why.Cause, err), true
}

func attempts(retries int) int {
	switch {
	case retries <= 0:
		return 1
	case retries == math.MaxInt:
		return retries
	}
	return retries + 1
}
