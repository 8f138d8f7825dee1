package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage/sabotagetest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, http.DefaultClient.CloseIdleConnections) }

// inMemory runs f with a world in virtual time, so that the policy is the very
// one that programs have.
func inMemory(t *testing.T, policy insist.Policy, f func(t *testing.T, w *world)) {
	t.Helper()
	sabotagetest.InMemory(t, func() (*world, error) { return newWorld(sabotage.Memory, policy) }, f)
}

func TestSteps(t *testing.T) {
	sabotagetest.Test(t, steps, run, func(t *testing.T, f func(*testing.T, *world)) { inMemory(t, newPolicy(), f) })
}

func TestRetryAfterIsObeyed(t *testing.T) {
	inMemory(t, newPolicy(), func(t *testing.T, w *world) {
		w.faults.Plan(sabotage.Early(0, 503, "7"))
		start := time.Now()
		if _, err := uploadStream.Make(w); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got < 7*time.Second {
			t.Errorf("another attempt after %v, want at least 7s", got)
		}
	})
}

// What each line of the policy is for: the same without it.
func TestWithout(t *testing.T) {
	late := func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		time.Sleep(15*time.Minute + time.Second)
		sabotage.Early(0, 503, "")(w, req, next)
	}
	for _, tt := range []struct {
		name string
		edit func(*insist.Policy)
		step step
	}{
		{"a late attempt", func(p *insist.Policy) {}, upload.When("", "503", "ServiceUnavailable", 0, late)},
		{"a late attempt without MaxElapsed", func(p *insist.Policy) { p.MaxElapsed = 0 },
			upload.When("", "503 403", "RequestTimeTooSkewed", 0, late)},
		{"a late break", func(p *insist.Policy) {},
			download.When("", "error", "unexpected EOF", 0, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				defer time.Sleep(15*time.Minute + time.Second)
				sabotage.Truncate(w, req, next)
			})},
		{"RetryableBody", func(p *insist.Policy) { p.RetryableBody = nil },
			uploadParts.When("", "200, 200, 200, 200", "InternalError", 0, nil, nil, nil, failure("InternalError"))},
		{"NonIdempotent", func(p *insist.Policy) { p.NonIdempotent = insist.ResendOnlyUnsent },
			uploadParts.When("", "200, 200, 200, 200", "InternalError", 0, nil, nil, nil, failure("InternalError"))},
		{"Idempotent", func(p *insist.Policy) { p.Idempotent = nil },
			uploadOnce.When("", "error 412", "PreconditionFailed", 1, sabotage.Lose)},
		{"ResumeDownloads", func(p *insist.Policy) { p.ResumeDownloads = false },
			download.When("", "200", "unexpected EOF", 0, sabotage.Truncate)},
		{"bytes to replay from", func(p *insist.Policy) { p.MaxReplayBytes = 1 << 20 },
			uploadStream.When("", "error", "PutObject", 0, sabotage.Reset(2<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := newPolicy()
			tt.edit(&policy)
			inMemory(t, policy, func(t *testing.T, w *world) {
				sabotagetest.Take(t, tt.step, w)
			})
		})
	}
}

// S3 may take minutes over a CompleteMultipartUpload, and keeps the connection
// open with blanks until it knows.
func TestASlowCompleteIsWaitedFor(t *testing.T) {
	inMemory(t, newPolicy(), func(t *testing.T, w *world) {
		w.faults.Plan(nil, nil, nil, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			for range 30 {
				w.Write([]byte(" "))
				http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Second)
			}
			w.Write([]byte("<Error><Code>InternalError</Code></Error>"))
		})
		if _, err := uploadParts.Make(w); err != nil {
			t.Error(err)
		}
		if got, want := w.Attempts(), "200, 200, 200, 200 200"; got != want {
			t.Errorf("got attempts %s, want %s", got, want)
		}
	})
}
