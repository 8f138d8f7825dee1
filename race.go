package insist

import (
	"context"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/seed-552c89fc/insist/internal/bucket"
	"github.com/seed-552c89fc/insist/internal/conn"
	"github.com/seed-552c89fc/insist/internal/origin"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// hedgeDelay returns how long attempt n waits before a hedge begins, and false if none
// does: the request may not be carried out twice at the same time, or too little is
// known of the host. If the attempt before ended in an error there is none, since the
// connections may be broken.
func (c *call) hedgeDelay(n int) (time.Duration, bool) {
	h := c.policy.Hedge
	if c.idempotent != yes || c.part != nil || n >= c.policy.maxAttempts() || c.last.err != nil {
		return 0, false
	}
	if ever, _ := c.body.CanOverlap(); !ever {
		return 0, false
	}
	return h.delay(c.hedgeHost(), time.Now())
}

// hedgeHost is the host for which the Hedge measures how long responses take.
func (c *call) hedgeHost() string {
	if c.req.URL == nil {
		return ""
	}
	return origin.Host(c.req.URL)
}

// payForHedge takes the cost of a hedge from the Share and the Budget. It reports whether
// that was possible, and the other bounds let the hedge begin.
func (c *call) payForHedge() bool {
	now := time.Now()
	switch {
	case c.waiter.Canceled(), !c.policy.fits(c.req.Context(), c.begun, now, 0):
		return false
	case c.hold.cooldown != nil:
		if held, _ := c.hold.until(c.req, ""); held > 0 {
			return false
		}
	}
	return c.policy.Hedge.withdraw(now) &&
		c.policy.Budget.withdraw(c.bucket, now, c.policy.mostRetries(), &c.last.lease)
}

// refundHedge gives back what payForHedge took, since the hedge could not be made. lease is
// the call's from before.
func (c *call) refundHedge(lease bucket.Lease) {
	c.policy.Hedge.refund()
	switch {
	case c.last.lease != lease:
		c.last.lease = lease
	case c.policy.Budget != nil:
		c.policy.Budget.refund(c.bucket, time.Now())
	}
}

// runner is one of the attempts that are in flight at the same time.
type runner struct {
	outgoing
	url    url.URL // of its request: an overtaken attempt may still read it after the call has returned
	n      int     // of the attempt
	limit  wait.Limit
	conns  *conn.Guard
	host   string
	bucket bucketKey
	begun  time.Time
	beside time.Duration // see Attempt.Beside
	held   time.Duration // see Attempt.Held

	resp    *http.Response
	err     error
	exited  bool // the base panicked, or called runtime.Goexit
	escaped any  // what it panicked with; nil after runtime.Goexit
}

// race is a set of attempts that are in flight at the same time. It has the call while it
// runs: a call without a race needn't be on the heap.
type race struct {
	call
	inFlight   []*runner
	signals    chan int   // the numbers of the attempts that have ended, and timeToHedge
	latest     time.Time  // when the latest attempt began
	notBefore  time.Time  // no attempt begins earlier: those that failed have asked for that
	assessment assessment // of the attempt that ended last

	// Most calls need no hedge. With these, such a call costs two allocations fewer.
	first runner
	room  [2]*runner
}

// timeToHedge is the signal that the delay has passed.
const timeToHedge = 0

// besideAtMost bounds how many attempts may be in flight beside the first one, whatever
// Hedge.Extra is.
const besideAtMost = 16

// race makes attempt n and, each time delay has passed without a result, another one
// beside it. c.last becomes the first attempt whose response no rule counts as a
// failure; if there is none, the attempt that ended last. Its assessment is left in
// c.assessed.
func (c *call) race(n int, delay time.Duration) error {
	most := min(c.policy.Hedge.extra(), besideAtMost) + 1
	r := &race{call: *c, signals: make(chan int, most+1)} // with room for all: no sender waits
	r.inFlight = r.room[:0]
	defer func() {
		r.abandon()
		*c, r.call = r.call, call{} // an overtaken attempt, which may go on for long, keeps r in memory
		c.runner, c.body.Ended = nil, nil
	}()
	if o := r.begin(n, &r.first); o != nil {
		return r.fail(o.why, o.cause)
	}
	timer := time.AfterFunc(delay, func() { r.signals <- timeToHedge })
	defer timer.Stop()
	for {
		signal := <-r.signals
		if signal != timeToHedge {
			if r.handle(r.take(signal)) {
				r.reportOvertaken()
				return nil
			}
			continue
		}
		full := len(r.inFlight) == most || r.made >= r.policy.maxAttempts()
		if full && len(r.inFlight) > 1 {
			r.policy.Hedge.futile(time.Now())
		}
		if !full && r.hedge() {
			timer.Reset(max(delay, time.Until(r.notBefore)))
		}
	}
}

// take removes attempt n, which has ended, from those in flight.
func (r *race) take(n int) *runner {
	i := slices.IndexFunc(r.inFlight, func(a *runner) bool { return a.n == n })
	ended := r.inFlight[i]
	r.inFlight = slices.Delete(r.inFlight, i, i+1)
	return ended
}

// hedge begins another attempt if that is possible. It reports whether there may be a
// further one: the request body may be in the middle of being sent, and the next time it
// is not.
func (r *race) hedge() bool {
	c := &r.call
	if ever, now := c.body.CanOverlap(); !now {
		return ever
	}
	if time.Now().Before(r.notBefore) {
		return true
	}
	lease := c.last.lease
	if !c.payForHedge() {
		return false
	}
	if r.begin(c.made+1, new(runner)) != nil {
		c.refundHedge(lease)
		return false
	}
	return true
}

// begin begins attempt n.
func (r *race) begin(n int, next *runner) *obstacle {
	c := &r.call
	c.conns, c.body.Apart, c.runner = nil, true, next
	if _, o := c.outgoing(n); o != nil {
		c.limit.End()
		c.limit = wait.Limit{}
		return o
	}
	c.made = n
	next.n, next.limit, next.conns, next.begun = n, c.limit, c.conns, time.Now()
	next.host, next.bucket = hostOf(next.Request.URL), c.policy.hostKey(next.Request.URL)
	if next == &r.first {
		next.held = c.held // no hedge begins while the Cooldown holds the call back
	}
	if len(r.inFlight) > 0 {
		next.beside = next.begun.Sub(r.latest)
	}
	r.latest = next.begun
	c.host, c.bucket = next.host, next.bucket // a hedge draws on it before any attempt has ended
	c.limit = wait.Limit{}                    // the runner has it now
	r.inFlight = append(r.inFlight, next)
	next.inFlight.Store(true)
	go next.run(c.base, c.req.Context(), r.signals)
	return nil
}

// run makes the attempt, and signals its number when it has ended.
func (a *runner) run(base http.RoundTripper, caller context.Context, signals chan<- int) {
	defer func() { signals <- a.n }()
	a.exited = true
	defer func() {
		if a.exited {
			a.escaped = recover()
		}
	}()
	a.resp, a.err = a.Send(base, caller)
	a.exited = false
}

// handle makes an attempt that has ended the last one, and assesses it. It reports
// whether the race is over.
func (r *race) handle(ended *runner) bool {
	c := &r.call
	ended.inFlight.Store(false)
	c.body.Ended = &ended.Lease
	if ended.exited {
		ended.limit.End()
		if ended.escaped != nil {
			panic(ended.escaped)
		}
		runtime.Goexit()
	}
	c.limit, c.conns, c.host, c.bucket = ended.limit, ended.conns, ended.host, ended.bucket
	c.reporter.start = ended.begun
	resp, err := c.received(&ended.outgoing, ended.resp, ended.err)
	ended.resp = nil
	if resp != nil {
		c.policy.Hedge.note(c.hedgeHost(), ended.begun)
	}
	c.note(ended.n, &ended.tracker, resp, err)
	c.last.beside, c.last.held = ended.beside, ended.held
	r.assessment = c.assess()
	a := &r.assessment
	c.assessed = a
	good := c.last.resp != nil && c.last.err == nil && a.Verdict != Retry || a.sure && a.Verdict == Stop
	if !good {
		c.last.asked = r.heed()
	}
	if good || len(r.inFlight) == 0 || c.last.canceled {
		return true
	}
	// It failed, but another attempt is already in flight: there is no wait.
	c.hold.begin(c.req, "", c.policy.pauseAsked(&c.last, *a))
	c.guardConns()
	c.reporter.report(&c.last, action{retry: true, reason: a.reason})
	c.limit.End()
	c.body.RevokeLease(&ended.Lease)
	closeLater(c.last.resp)
	c.state = discarded
	return false
}

// heed notes how long the attempt that has ended asks to wait, and returns what is left of
// the waits that the attempts before it have asked for.
func (r *race) heed() time.Duration {
	now := time.Now()
	left := max(0, r.notBefore.Sub(now))
	if asked := max(r.assessment.Wait, r.policy.askedWait(&r.last, now)); asked > left {
		r.notBefore = now.Add(asked)
	}
	return left
}

// reportOvertaken reports the attempts that are still in flight when the race is over.
func (r *race) reportOvertaken() {
	c := &r.call
	start := c.reporter.start
	for _, other := range r.inFlight {
		c.policy.Hedge.note(c.hedgeHost(), other.begun)
		c.reporter.start = other.begun
		c.reporter.report(&outcome{number: other.n, req: c.req, host: other.host, beside: other.beside, held: other.held},
			action{retry: true, reason: ReasonOvertaken})
	}
	c.reporter.start = start
}

// abandon cancels the attempts that are still in flight. It does not wait for them: a
// goroutine closes their responses.
func (r *race) abandon() {
	for _, other := range r.inFlight {
		other.inFlight.Store(false)
		other.limit.End()
		r.body.RevokeLease(&other.Lease)
	}
	if len(r.inFlight) == 0 {
		return
	}
	go func() {
		for len(r.inFlight) > 0 {
			if signal := <-r.signals; signal != timeToHedge {
				closeNow(r.take(signal).resp)
			}
		}
	}()
}

// closeLater closes a discarded response on another goroutine, since Close may block.
func closeLater(resp *http.Response) {
	if resp != nil && resp.Body != nil {
		go closeNow(resp)
	}
}

// closeNow closes a discarded response. If Close panics, nobody is there to handle it,
// so the panic is dropped.
func closeNow(resp *http.Response) {
	if resp != nil && resp.Body != nil {
		defer func() { recover() }()
		resp.Body.Close()
	}
}
