package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

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
	synctest.Test(t, func(t *testing.T) { f(t, begin(t, sabotage.Memory.Serve)) })
}

func begin(t *testing.T, serve func(http.Handler) *httptest.Server) *world {
	t.Helper()
	w, err := newWorld(serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestSteps(t *testing.T) { sabotagetest.Test(t, steps, run, inMemory) }

// Clusters are spoken to by HTTP/2.
func TestStepsHTTP2(t *testing.T) {
	serve := func(h http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.EnableHTTP2 = true
		server.StartTLS()
		return server
	}
	same := slices.DeleteFunc(slices.Clone(steps), func(s step) bool {
		return strings.HasPrefix(s.Fault, "truncated")
	})
	for _, s := range append(same,
		list.When("truncated response", "200", "INTERNAL_ERROR", 0, sabotage.Truncate),
		listWhole.When("truncated response", "error 200", "", 0, sabotage.Truncate),
		follow.When("truncated in an event", "200", "INTERNAL_ERROR", 0, truncatedEvent),
		followLog.When("truncated in a line", "200", "INTERNAL_ERROR", 0, truncatedLine),
	) {
		t.Run(s.Call.Name+"/"+s.Fault, func(t *testing.T) {
			sabotagetest.Take(t, s, begin(t, serve))
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world) {
		w.faults.Plan(failure(429, "TooManyRequests", "Retry-After", "7"))
		start := time.Now()
		if _, err := create.Make(w); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 7*time.Second {
			t.Errorf("another attempt after %v, want 7s", got)
		}
	})
}

// What once is for: without it the two layers multiply, 3 by 11, but for what a
// Budget refuses.
func TestWithoutOnceAttemptsMultiply(t *testing.T) {
	for _, tt := range []struct {
		name     string
		own      func(rest.Interface) rest.Interface
		requests int
	}{
		{"client-go's own retry on", func(c rest.Interface) rest.Interface { return c }, 33},
		{"switched off", func(c rest.Interface) rest.Interface { return once{c} }, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *world) {
				config := configFor(w.server)
				config.Wrap(retry(insist.Policy{Backoff: insist.Constant(0)}))
				core, err := corev1.NewForConfig(config)
				if err != nil {
					t.Fatal(err)
				}
				w.core = corev1.New(tt.own(core.RESTClient()))
				for range 100 {
					w.faults.Plan(throttled)
				}
				if _, err := list.Make(w); !apierrors.IsTooManyRequests(err) {
					t.Errorf("got %v", err)
				}
				if got := 100 - w.faults.Left(); got != tt.requests {
					t.Errorf("%d requests, want %d", got, tt.requests)
				}
			})
		})
	}
}
