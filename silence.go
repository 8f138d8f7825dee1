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

// watch returns what watches over the connection of an attempt, or nil if nothing has
// to: an attempt that is limited in time may have to give its connection up, and one
// after such an attempt is not to have the same.
func (c *call) watch() *conn.Watch {
	below := innermost(c.base)
	if c.conns == nil && (c.policy.PerAttemptTimeout > 0 || c.policy.BodyIdleTimeout > 0 || conn.Limits(below)) {
		c.conns = new(conn.Guard)
	}
	_, bare := c.base.(*http.Transport)
	return c.conns.Next(below, !bare)
}

// guardConns keeps later attempts, and later calls, off the connection of an attempt
// that timed out; and later attempts off kept ones that may have died with it.
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

// guardBody returns what ends the last attempt's context, and gives its connection up
// where that is because the response's body, which the caller has by then, has been
// silent for too long.
func (c *call) guardBody() context.CancelCauseFunc {
	cancel, conns, below, u := c.limit.Cancel(), c.conns, innermost(c.base), c.req.URL
	return func(cause error) {
		if idle, ok := cause.(respbody.IdleTimeout); ok {
			conns.TimedOut(below, u, time.Duration(idle), false) // before a Read learns of it
		}
		cancel(cause)
	}
}

// maxRefused bounds how many kept connections an attempt refuses by being sent anew.
const maxRefused = 100

// sendAnew reports whether an attempt that failed is to be sent anew, as the same
// attempt: the kept connection that it was given was refused, and net/http can't
// repeat this request by itself. Nothing of it was sent.
func (c *call) sendAnew() bool {
	if !c.conns.Refused() || !c.body.Whole() || c.waiter.Canceled() || c.limit.Stop() {
		return false
	}
	c.body.Revoke()
	c.limit.End()
	return true
}
