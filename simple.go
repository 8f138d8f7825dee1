package insist

import (
	"net/http"
	"time"
)

// isSimple reports whether simpleTrip will do for req: it may be repeated and has
// no body, and nothing is timed, looked into or told of.
func (p *Policy) isSimple(base http.RoundTripper, req *http.Request) bool {
	return p.OnAttempt == nil && p.Classify == nil && p.RetryableBody == nil &&
		p.PerAttemptTimeout <= 0 && p.MaxElapsed <= 0 && p.MaxWholeBytes <= 0 && !p.ResumeDownloads &&
		(req.Body == nil || req.Body == http.NoBody) && p.idempotent(req) && !wraps(base)
}

// simpleTrip is what call.run is, for most calls: the first attempt is made before
// anything is ready for another one, and mostly is the only one. That takes a
// quarter of the time.
func simpleTrip(base http.RoundTripper, p *Policy, req *http.Request) (*http.Response, error) {
	caller := callerOf(req)
	if caller.gone() {
		c := call{base: base, policy: p, req: req, caller: caller}
		return c.run()
	}
	resp, err := base.RoundTrip(req)
	if err == nil && resp != nil && p.isSuccess(resp) {
		if p.Budget != nil {
			p.Budget.deposit(req.URL.Host, time.Now())
		}
		return resp, nil
	}
	c := call{base: base, policy: p, req: req, caller: caller}
	return c.goOnAfter(resp, err)
}

// isSuccess reports whether no rule takes resp for a failure. What it is not sure
// of it leaves to judge.
func (p *Policy) isSuccess(resp *http.Response) (ok bool) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 || shouldRetry(resp.Header) != unknown {
		return false
	}
	asked := true
	defer func() {
		if asked && resp.Body != nil { // RetryableStatus has panicked
			resp.Body.Close()
		}
	}()
	ok = !p.retryableStatus(resp.StatusCode)
	asked = false
	return ok
}

// goOnAfter is run for a call whose first attempt ended in these.
func (c *call) goOnAfter(resp *http.Response, err error) (*http.Response, error) {
	defer c.cleanUp()
	c.prepare()
	c.note(1, nil, resp, err)
	return c.conclude(c.opinion())
}
