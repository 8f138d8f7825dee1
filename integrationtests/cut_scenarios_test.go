package integrationtests

import (
	"fmt"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// scenario is an exchange that is cut.
type scenario struct {
	protocol servertest.Proto
	conn     connKind
	method   string
	body     bodyKind
	key      bool // it has an Idempotency-Key
	ranged   bool // it asks for a range
	shape    servertest.Shape
	rules    rules
}

// connKind says which connections there are when the request is made.
type connKind int

const (
	newConn connKind = iota // none
	warm                    // an idle one
	twoWarm                 // two idle ones; on HTTP/2 that is one
)

func (c connKind) String() string { return [...]string{"new", "warm", "two warm"}[c] }

// rules are the policies under test.
type rules int

const (
	plain        rules = iota
	untimed            // without PerAttemptTimeout: not for silent cuts
	condition          // RetryableBody, and a server that is busy at first
	whole              // MaxWholeBytes
	resume             // ResumeDownloads
	allRules           // the last three
	standard           // insist.Standard
	never              // Idempotent says that no request is
	hedged             // Hedge, so soon that slow uploads overlap
	single             // as never, with one attempt
	hedgedResume       // Hedge and ResumeDownloads
)

func (r rules) String() string {
	return [...]string{"plain", "untimed", "condition", "whole", "resume", "all rules", "standard", "never idempotent", "hedged", "one attempt, not idempotent", "hedged, resume"}[r]
}

const (
	attemptTimeout = 10 * time.Second
	attempts       = 5 // two connections are cut, and one request is turned away
)

// policy returns the policy under test. retries counts its retries.
func (r rules) policy(retries *int) insist.Policy {
	p := insist.Policy{}
	if r == standard {
		p = insist.Standard()
	}
	p.MaxAttempts = attempts
	p.Backoff = func(int) time.Duration { *retries++; return 0 }
	if r != untimed {
		p.PerAttemptTimeout, p.BodyIdleTimeout = attemptTimeout, attemptTimeout/2
	}
	if r == condition || r == allRules {
		p.RetryableBody = insist.JSONFieldNot("/ret_code", 0)
	}
	if r == whole || r == allRules {
		p.MaxWholeBytes = 1 << 20
		p.MaxPeekTime = attemptTimeout // else one without a length is handed over before it is known to be silent
	}
	if r == single {
		p.MaxAttempts = 1
	}
	if r == never || r == single {
		p.Idempotent = func(*http.Request) bool { return false }
	}
	if r == hedged || r == hedgedResume {
		p.Hedge = &insist.Hedge{Delay: 2 * time.Millisecond, Share: attempts}
	}
	p.ResumeDownloads = r == resume || r == allRules || r == hedgedResume
	return p
}

// idempotent reports whether it may be carried out twice.
func (s *scenario) idempotent() bool {
	return s.rules != never && s.rules != single && (s.method != http.MethodPost || s.key)
}

// mended reports whether a response's body that is cut is no error to the caller.
func (s *scenario) mended() bool {
	switch s.rules {
	case whole, allRules:
		return s.idempotent()
	case resume, hedgedResume:
		return s.method == http.MethodGet
	}
	return false
}

// request is everything that a line of the table says, and what belongs to it.
func (s *scenario) request() string {
	key, ranged := "", ""
	if s.key {
		key = " key"
	}
	if s.ranged {
		ranged = " range"
	}
	return fmt.Sprintf("%s%s %v, %v, %v%s", s.method, key, s.body, s.rules, s.shape, ranged)
}

func version(p servertest.Proto) string {
	if p == servertest.H2C {
		return "HTTP/2"
	}
	return p.Name
}

func (s *scenario) String() string {
	return fmt.Sprintf("%v %v: %s", version(s.protocol), s.conn, s.request())
}

// scenarios returns all there are for a connection.
func scenarios(p servertest.Proto, conn connKind) (all []scenario) {
	add := func(s scenario) {
		s.protocol, s.conn = p, conn
		all = append(all, s)
	}
	kinds := []bodyKind{noBody, inMemory, newReaders, sharedReader, onceKnown, onceUnknown, seekable}
	for _, r := range []rules{plain, untimed} {
		add(scenario{method: "GET", rules: r})
		add(scenario{method: "GET", rules: r, shape: servertest.InChunks})
	}
	add(scenario{method: "HEAD"})
	add(scenario{method: "DELETE"})
	add(scenario{method: "DELETE", body: inMemory})
	for i, k := range kinds {
		shape := servertest.Shape(i % 2)
		add(scenario{method: "PUT", body: k, shape: 1 - shape})
		add(scenario{method: "POST", body: k, shape: shape})
		add(scenario{method: "POST", body: k, key: true, shape: 1 - shape})
		add(scenario{method: "POST", body: k, key: i%2 == 0, rules: condition, shape: shape})
		add(scenario{method: "POST", body: k, key: i%2 == 1, rules: whole, shape: shape})
	}
	for _, shape := range []servertest.Shape{servertest.WithLength, servertest.InChunks} {
		for _, r := range []rules{condition, whole, allRules} {
			add(scenario{method: "GET", rules: r, shape: shape})
		}
	}
	add(scenario{method: "PUT", body: onceUnknown, key: true, rules: whole})
	add(scenario{method: "PUT", body: section, shape: servertest.InChunks})
	add(scenario{method: "PUT", body: osFile})
	add(scenario{method: "POST", body: osFile, key: true, rules: condition})
	add(scenario{method: "PUT", body: onceUnknown, rules: untimed})
	add(scenario{method: "POST", body: onceKnown, rules: untimed})
	add(scenario{method: "POST", body: sharedReader, key: true, rules: untimed})
	add(scenario{method: "GET", rules: never})
	add(scenario{method: "HEAD", rules: never})
	add(scenario{method: "PUT", body: newReaders, key: true, rules: never})
	add(scenario{method: "POST", body: inMemory, key: true, rules: never})
	add(scenario{method: "POST", key: true, rules: never})
	for i, k := range kinds {
		add(scenario{method: "PUT", body: k, rules: hedged, shape: servertest.Shape(i % 2)})
	}
	add(scenario{method: "GET", rules: hedged})
	add(scenario{method: "PUT", body: osFile, rules: hedged})
	add(scenario{method: "POST", body: newReaders, rules: hedged})
	add(scenario{method: "GET", rules: single})
	add(scenario{method: "POST", body: onceKnown, rules: single, shape: servertest.InChunks})
	add(scenario{method: "POST", body: inMemory, key: true, rules: single})
	add(scenario{method: "PUT", body: newReaders, key: true, rules: single})
	add(scenario{method: "GET", rules: standard})
	add(scenario{method: "POST", body: inMemory, rules: standard})
	add(scenario{method: "POST", body: onceUnknown, key: true, rules: standard})
	add(scenario{method: "PUT", body: sharedReader, rules: condition, shape: servertest.InChunks})
	for _, r := range []rules{resume, allRules, hedgedResume} {
		add(scenario{method: "GET", rules: r, shape: servertest.WithRanges})
		add(scenario{method: "GET", rules: r, shape: servertest.OpenRanges})
		add(scenario{method: "GET", rules: r, shape: servertest.WithRanges, ranged: true})
	}
	return all
}
