package insist

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/cooldown"
	"github.com/seed-552c89fc/insist/internal/origin"
)

// Cooldown is for rate limits. If a service asks one call to pause, all calls that share
// the Cooldown wait until the pause ends. Without it, one of fifty calls waits, and the
// other forty-nine run into the limit one by one, which may get a key banned. Make one
// for a process, and set the pointer in the Policy of each transport, and of each Do
// with a Name, that calls the same services. The zero value is ready for use. A Cooldown
// is safe for concurrent use; it must not be copied, nor its fields changed, once it is
// used.
//
// A pause begins with a 429 or 503 that says how long to wait (Retry-After and the
// like); with the Wait of a Decision, from Classify (see package ratelimit) or from a
// condition on the body; or with an error that has a RetryAfter method. Until the pause
// ends, no attempt begins, not even the first one of a call. After its end, calls come
// back gradually: at first one after the other, then twice as many in each Spread. If
// the first ones meet the limit again, the others wait for the end of the new pause.
//
// A call is not held for longer than MaxRetryAfter, nor beyond its deadline or
// MaxElapsed. If the pause is longer, the call ends at once, without a request: with the
// last response or error if it has one, else with an *Error whose Until says when the
// pause ends.
//
// A Cooldown stores the pauses of up to 1024 keys. A call whose key never had a pause
// takes no lock.
type Cooldown struct {
	// Key returns what the service limits: a token, a tenant, a route. Calls with the
	// same key share their pauses. It is called at most once for each call, on the
	// call's goroutine. If it returns an empty key, the call neither waits nor begins a
	// pause. It is not called for functions, whose key is Policy.Name.
	// If nil, the host of the request's URL, with its port.
	Key func(req *http.Request) string

	// Spread is the time in which the first calls come back after a pause; in each
	// further Spread, twice as many come back. Choose about the time that a response
	// takes. After a short pause, a sixteenth of the pause is used if that is less.
	// Zero means 1 second; negative means that all come back at the end of the pause.
	Spread time.Duration

	table cooldown.Table
}

// hold is the state of one call in a Cooldown. The zero value is never held back.
type hold struct {
	cooldown *Cooldown
	key      string
	known    bool // key is set
	place    cooldown.Place
}

// isQuiet reports whether no service has asked for a pause yet.
func (d *Cooldown) isQuiet() bool { return d == nil || d.table.Quiet() }

func (d *Cooldown) spread() time.Duration {
	if d.Spread == 0 {
		return time.Second
	}
	return d.Spread
}

// keyOf returns the call's key: that of the request or, if req is nil, the function's
// name.
func (h *hold) keyOf(req *http.Request, name string) string {
	switch {
	case h.known:
		return h.key
	case req == nil:
		h.key = name
	case h.cooldown.Key != nil:
		h.key = h.cooldown.Key(req)
	case req.URL != nil:
		h.key = origin.Host(req.URL)
	}
	h.known = true
	return h.key
}

// begin begins the pause that the service has asked for in reply to an attempt.
func (h *hold) begin(req *http.Request, name string, asked time.Duration) {
	if h.cooldown == nil || asked <= 0 {
		return
	}
	h.cooldown.table.Pause(h.keyOf(req, name), time.Now(), asked, h.cooldown.spread())
	h.place = cooldown.Place{}
}

// until returns how long the call has to wait until its place after a pause, and how
// long the pause itself lasts. Both are zero if the call need not wait.
func (h *hold) until(req *http.Request, name string) (wait, pause time.Duration) {
	if h.cooldown.isQuiet() {
		return 0, 0
	}
	now := time.Now()
	at, end := h.cooldown.table.Until(h.keyOf(req, name), now, &h.place, rand.Float64)
	if at.IsZero() {
		h.place = cooldown.Place{}
		return 0, 0
	}
	return at.Sub(now), end.Sub(now)
}
