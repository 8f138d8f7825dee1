// Package between is what stands between a test of net/http and the RoundTripper that it
// uses. What that is, the environment says.
package between

import (
	"context"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// Variable is the environment variable that has the name of the mode.
const Variable = "INSIST_BETWEEN"

// Without is the environment variable that has the names of fields of the Policy that
// the mode all-on leaves at zero, with commas between them. It is for finding out which
// feature makes a difference.
const Without = "INSIST_WITHOUT"

var without = os.Getenv(Without)

// Mode is one way to stand between.
type Mode struct {
	// Name is what the variable is set to.
	Name string

	// Says is the mode in a few words.
	Says string

	// FailsFirst says that the first attempt of each call fails.
	FailsFirst bool

	// Wrap returns what stands before base in one call.
	Wrap func(base http.RoundTripper) http.RoundTripper
}

// Modes are all of them. The first one is what the others are compared with.
var Modes = []Mode{
	{"pass-through", "a RoundTripper that does nothing", false, func(base http.RoundTripper) http.RoundTripper { return base }},
	{"never-retries", "insist with `MaxAttempts: 1`", false, with(insist.Policy{MaxAttempts: 1})},
	{"all-on", "insist with every feature on, and rules that never ask for a retry", false, func(base http.RoundTripper) http.RoundTripper {
		return &insist.RetryTransport{Base: base, Policy: everything(without)}
	}},
	{"503-before", "the first attempt: a 503 before the body is read", true, failing(failure{})},
	{"503-amid", "a 503 in the middle of the body", true, failing(failure{read: half})},
	{"503-after", "a 503 after the body", true, failing(failure{read: whole})},
	{"error-before", "an error before the body is read", true, failing(failure{err: errRefused})},
	{"error-amid", "an error in the middle of the body", true, failing(failure{read: half, err: errLost})},
	{"error-after", "an error after the body", true, failing(failure{read: whole, err: errLost})},
}

// Find returns the mode with that name.
func Find(name string) (Mode, bool) {
	for _, m := range Modes {
		if m.Name == name {
			return m, true
		}
	}
	return Mode{}, false
}

// FromEnvironment returns what gives each RoundTripper the one that stands before it, in
// the mode that the environment says. It is called once, as the process begins, since
// tests clear the environment.
func FromEnvironment() func(base http.RoundTripper) http.RoundTripper {
	m, ok := Find(os.Getenv(Variable))
	if !ok {
		panic("between: " + Variable + " is no mode: " + os.Getenv(Variable))
	}
	return func(base http.RoundTripper) http.RoundTripper { return &door{base: base, wrap: m.Wrap} }
}

// door begins each call with a wrapper of its own, so that no Budget, Cooldown or count
// is shared by tests that have nothing to do with each other.
type door struct {
	base http.RoundTripper
	wrap func(http.RoundTripper) http.RoundTripper
}

func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	return d.wrap(d.base).RoundTrip(req)
}

func (d *door) WrappedRoundTripper() http.RoundTripper { return d.base }

func (d *door) CloseIdleConnections() {
	if c, ok := d.wrap(d.base).(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func with(p insist.Policy) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper {
		return &insist.RetryTransport{Base: base, Policy: p}
	}
}

// everything returns a policy with all features but one: an Idempotency-Key is a header,
// and the tests compare headers. The fields with these names, with commas between them,
// it leaves at zero.
func everything(without string) insist.Policy {
	read := func(_ *http.Request, _ *http.Response, _ int, body io.Reader) insist.Decision {
		_, _ = io.Copy(io.Discard, body)
		return insist.Decision{}
	}
	p := insist.Policy{
		Name:              "proof",
		MaxAttempts:       3,
		Backoff:           insist.Constant(0),
		MaxElapsed:        time.Hour,
		PerAttemptTimeout: time.Hour,
		BodyIdleTimeout:   time.Hour,
		Classify: func(*http.Request, *http.Response, error, int) insist.Decision {
			return insist.Decision{}
		},
		RetryableStatus: func(int) bool { return false },
		RetryableError:  func(error) bool { return false },
		RetryableBody:   read,
		RetryableEvent:  read,
		MaxPeekTime:     10 * time.Millisecond,
		MaxWholeBytes:   1 << 20,
		ResumeDownloads: true,
		NonIdempotent:   insist.ResendEvenIfLost,
		Budget:          &insist.Budget{},
		Cooldown:        &insist.Cooldown{},
		Hedge:           &insist.Hedge{Delay: time.Hour},
		Prepare:         func(*http.Request, *http.Response, error) error { return nil },
		OnAttempt:       func(context.Context, insist.Attempt) {},
	}
	if without != "" {
		for name := range strings.SplitSeq(without, ",") {
			reflect.ValueOf(&p).Elem().FieldByName(name).SetZero()
		}
	}
	return p
}
