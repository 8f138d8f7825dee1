package insist

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/respbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// watch returns the Watch over the connection of the next attempt. If an attempt has a
// time limit and times out, its connection is taken out of use, so that no later attempt
// is sent on it. If no attempt has a time limit or lost its connection, watch returns
// nil.
func (c *call) watch() *conn.Watch {
	below := innermost(c.base)
	if c.conns == nil && (c.policy.PerAttemptTimeout > 0 || c.policy.BodyIdleTimeout > 0 || conn.Limits(below)) {
		c.conns = new(conn.Guard)
	}
	_, bare := c.base.(*http.Transport)
	return c.conns.Next(below, !bare)
}

// guardConns keeps later attempts off broken connections. If the last attempt timed out,
// neither this call nor others use its connection again. If it timed out or lost its
// connection, later attempts of this call don't use idle connections that may have died
// with it.
func (c *call) guardConns() {
	o := &c.last
	if o.err == nil || o.canceled || o.badBody || !neterr.IsTimeout(o.err) && !neterr.IsBroken(o.err) {
		return
	}
	if c.conns == nil {
		c.conns = new(conn.Guard)
	}
	if !neterr.IsTimeout(o.err) {
		c.conns.Lost()
		return
	}
	var lasted time.Duration
	if idle, ok := errors.AsType[respbody.IdleTimeout](o.err); ok {
		lasted = time.Duration(idle)
	} else if errors.Is(o.err, wait.ErrAttemptTimeout) {
		lasted = c.policy.PerAttemptTimeout
	}
	o.retired = c.conns.TimedOut(innermost(c.base), c.req.URL, lasted, neterr.IsHTTP2(o.err))
}

// guardBody returns a function that ends the last attempt's context, for a response that
// has been handed over. If it is called because the body has been silent for longer than
// BodyIdleTimeout, it first takes the connection out of use.
func (c *call) guardBody() context.CancelCauseFunc {
	cancel, conns, below, u := c.limit.Cancel(), c.conns, innermost(c.base), c.req.URL
	return func(cause error) {
		if idle, ok := cause.(respbody.IdleTimeout); ok {
			conns.TimedOut(below, u, time.Duration(idle), false) // before a Read learns of it
		}
		cancel(cause)
	}
}

// maxRefused bounds how often one attempt is resent on another connection.
const maxRefused = 100

// sendAnew reports whether a failed attempt is to be resent on another connection, as
// the same attempt, and revokes its body if so. That is the case if its Watch refused
// the idle connection that net/http had chosen, before anything was sent, and net/http
// can't repeat this request by itself.
func (c *call) sendAnew() bool {
	if !c.conns.Refused() || !c.body.Whole() || c.waiter.Canceled() || c.limit.Stop() {
		return false
	}
	c.body.Revoke()
	c.limit.End()
	return true
}
