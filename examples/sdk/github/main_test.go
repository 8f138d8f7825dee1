package main

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage/sabotagetest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, http.DefaultClient.CloseIdleConnections) }

// inMemory runs f with a world in virtual time: the policy is the very one that
// programs have.
func inMemory(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	file, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in the year 2000, too early to be told from seconds.
		time.Sleep(time.Until(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
		w, err := newWorld(sabotage.Memory.Serve, file)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f(t, w)
	})
}

func TestSteps(t *testing.T) { sabotagetest.Test(t, steps, run, inMemory) }

func TestWaits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault sabotage.Fault
		least time.Duration
	}{
		{"limit", limit(20 * time.Second), 20 * time.Second},
		{"secondary limit", refuse(403, "", "Retry-After", "7"), 7 * time.Second},
		{"503", sabotage.Early(0, 503, "7"), 7 * time.Second},
		{"202", accepted, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				w.faults.Plan(tt.fault)
				start := time.Now()
				if _, err := count.Make(w); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got < tt.least || got > tt.least+time.Second {
					t.Errorf("another attempt after %v, want %v", got, tt.least)
				}
			})
		})
	}
}

// An error must still be one of go-github's own.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault sabotage.Fault
		is    func(error) bool
	}{
		{"limit", limit(time.Hour), insist.ErrorAs[*github.RateLimitError]},
		{"forbidden", forbidden, insist.ErrorAs[*github.ErrorResponse]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				w.faults.Plan(tt.fault)
				if _, err := get.Make(w); !tt.is(err) {
					t.Errorf("got %T: %v", err, err)
				}
			})
		})
	}
}

// With go-github's own check a call whose answer says that nothing is left makes
// it refuse the next one, which so never comes to the transport.
func TestOwnCheckRefusesCalls(t *testing.T) {
	usedUp := func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", "4102444800") // in the year 2100
		next.ServeHTTP(w, req)
	}
	inMemory(t, func(t *testing.T, w *world) {
		url := w.server.URL + "/"
		checking, err := github.NewClient(github.WithURLs(&url, &url), github.WithTransport(
			&insist.RetryTransport{Policy: policyFor(), Base: w.server.Client().Transport}))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			client *github.Client
			refuse bool
		}{{checking, true}, {w.client, false}} {
			w.faults.Plan(usedUp)
			if _, _, err := tt.client.Repositories.Get(t.Context(), "octo", "tool"); err != nil {
				t.Fatal(err)
			}
			ctx, record := insist.WithRecord(t.Context())
			_, _, err = tt.client.Repositories.Get(ctx, "octo", "tool")
			if refused := insist.ErrorAs[*github.RateLimitError](err); refused != tt.refuse || (len(record.Calls()) == 0) != tt.refuse {
				t.Errorf("refused: %v (%v), want %v", refused, err, tt.refuse)
			}
		}
	})
}

// WithEnvProxy wants an *http.Transport; ours has the environment's proxies in
// its default Base.
func TestEnvProxyIsRefused(t *testing.T) {
	_, err := github.NewClient(github.WithTransport(&insist.RetryTransport{}), github.WithEnvProxy())
	if err == nil {
		t.Error("got no error")
	}
	base, ok := new(insist.RetryTransport).WrappedRoundTripper().(*http.Transport)
	if !ok || base.Proxy == nil {
		t.Error(errors.New("the default Base has no Proxy"))
	}
}
