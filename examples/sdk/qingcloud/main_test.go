package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage/sabotagetest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, http.DefaultClient.CloseIdleConnections) }

// inMemory runs f with a world in virtual time: the SDK sleeps for a second
// after an error, and the policy is the very one that programs have.
func inMemory(t *testing.T, policy insist.Policy, f func(t *testing.T, w *world)) {
	t.Helper()
	sabotagetest.InMemory(t, func() (*world, error) { return newWorld(sabotage.Memory, policy) }, f)
}

func TestSteps(t *testing.T) {
	sabotagetest.Test(t, steps, run, func(t *testing.T, f func(*testing.T, *world)) { inMemory(t, policyFor(keys), f) })
}

func TestRetryAfterIsObeyed(t *testing.T) {
	inMemory(t, policyFor(keys), func(t *testing.T, w *world) {
		w.faults.Plan(sabotage.Early(0, 503, "7"))
		start := time.Now()
		if _, err := create.Make(w); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got < 7*time.Second {
			t.Errorf("another attempt after %v, want at least 7s", got)
		}
	})
}

// What each line of the policy is for: the same without it.
func TestWithout(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*insist.Policy)
		step step
	}{
		{"RetryableBody", func(p *insist.Policy) { p.RetryableBody = nil },
			describe.When("", "200", "Code (5100)", 0, answers(5100))},
		{"MaxWholeBytes", func(p *insist.Policy) { p.MaxWholeBytes = 0 },
			describe.When("", "200", "unexpected end of JSON input", 0, sabotage.Truncate)},
		// A GET is taken for one that changes nothing, by net/http already.
		{"Idempotent", func(p *insist.Policy) { p.Idempotent = nil },
			create.When("", "200", "", 2, sabotage.Lose)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := policyFor(keys)
			tt.edit(&policy)
			inMemory(t, policy, func(t *testing.T, w *world) {
				sabotagetest.Take(t, tt.step, w)
			})
		})
	}
}

// Three attempts of which two are told to come back in 30 seconds, the longest
// that the policy waits for by default, outlive a signature.
func TestSignatureExpiresDuringRetries(t *testing.T) {
	unsigned := policyFor(keys)
	unsigned.Prepare = nil
	for _, tt := range []struct {
		name    string
		call    call
		policy  insist.Policy
		fails   string
		created int
	}{
		{"as it was signed", describe, unsigned, "Code (1300)", 0},
		{"signed anew", describe, policyFor(keys), "", 0},
		{"signed anew, with an effect", create, policyFor(keys), "", 1},
		{"in the body of a POST", upload, policyFor(keys), "Code (1300)", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, tt.policy, func(t *testing.T, w *world) {
				slow := func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
					time.Sleep(2 * time.Second)
					sabotage.Early(0, 503, "30")(rw, req, next)
				}
				s := tt.call.When("", "503 503 200", tt.fails, tt.created, slow, slow)
				sabotagetest.Take(t, s, w)
			})
		})
	}
}

func TestAForgedSignatureIsRefused(t *testing.T) {
	inMemory(t, policyFor(keys), func(t *testing.T, w *world) {
		w.api.account.secret = "another"
		if _, err := describe.Make(w); err == nil || !strings.Contains(err.Error(), "Code (1200)") {
			t.Errorf("got %v, want Code (1200)", err)
		}
	})
}
