package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage/sabotagetest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, http.DefaultClient.CloseIdleConnections) }

// inMemory runs f with a world in virtual time: the policy is the very one that
// programs have. Where an event didn't come through by itself, all would wait for
// it, which ends the test.
func inMemory(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sabotage.Memory.Serve)
		defer w.Close()
		f(t, w)
	})
}

func TestSteps(t *testing.T) { sabotagetest.Test(t, steps, run, inMemory) }

// A stream must not wait for the look at its first event: it is begun and ended
// without any time passing.
func TestAStreamIsNotHeldUp(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world) {
		start := time.Now()
		if _, err := listen.Make(w); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("it took %v", got)
		}
	})
}

func TestWaits(t *testing.T) {
	soon := func() string { return time.Now().Add(9 * time.Second).UTC().Format(time.RFC3339) }
	for _, tt := range []struct {
		name  string
		fault func() sabotage.Fault
		want  time.Duration
	}{
		{"429 with retry-after", func() sabotage.Fault { return refuse(429, "rate_limit_error", "retry-after", "7") }, 7 * time.Second},
		{"529 with retry-after", func() sabotage.Fault { return refuse(529, "overloaded_error", "retry-after", "7") }, 7 * time.Second},
		{"429 with the end of a limit", func() sabotage.Fault {
			return refuse(429, "rate_limit_error", "anthropic-ratelimit-requests-remaining", "0", "anthropic-ratelimit-requests-reset", soon())
		}, 9 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				w.faults.Plan(tt.fault())
				start := time.Now()
				if _, err := ask.Make(w); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("another attempt after %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// When the attempts are used up the SDK makes its own error of the last response or
// first event, and adds no attempts of its own.
func TestErrorsAreTheSDKsOwn(t *testing.T) {
	status := refuse(529, "overloaded_error")
	first := failFirst("overloaded_error")
	for _, tt := range []struct {
		name     string
		call     call
		fault    sabotage.Fault
		attempts string
	}{
		{"a status", ask, status, "529 529 529"},
		{"an event", listen, first, "200 200 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				w.faults.Plan(tt.fault, tt.fault, tt.fault)
				_, err := tt.call.Make(w)
				if !insist.ErrorAs[*anthropic.Error](err) || w.Attempts() != tt.attempts || w.faults.Left() != 0 {
					t.Errorf("got %T: %v, after %s", err, err, w.Attempts())
				}
			})
		})
	}
}
