package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openai/openai-go/v3"

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

// The stream must not wait for the looks of RetryableBody and RetryableEvent either:
// it is begun and ended without any time passing.
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
	for _, tt := range []struct {
		name  string
		fault sabotage.Fault
		want  time.Duration
	}{
		{"retry-after-ms", refuse(429, "retry-after-ms", "1500", "Retry-After", "2"), 1500 * time.Millisecond},
		{"Retry-After", refuse(503, "Retry-After", "7"), 7 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				w.faults.Plan(tt.fault)
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

// When the attempts are used up the SDK makes its own error of the last response,
// and adds no attempts of its own.
func TestErrorsAreTheSDKsOwn(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world) {
		w.faults.Plan(refuse(503), refuse(503), refuse(503))
		_, err := ask.Make(w)
		if !insist.ErrorAs[*openai.Error](err) || w.Attempts() != "503 503 503" || w.faults.Left() != 0 {
			t.Errorf("got %T: %v", err, err)
		}
	})
}
