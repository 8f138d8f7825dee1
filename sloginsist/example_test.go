package sloginsist_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/sloginsist"
)

// A line for each retry and one for a call that is given up. ReplaceAttr leaves
// out here what differs from run to run.
func ExampleHook() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()

	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "duration", "host":
				return slog.Attr{}
			}
			return a
		},
	}))

	policy := insist.Policy{MaxAttempts: 2, Backoff: insist.Constant(time.Millisecond)}
	policy.OnAttempt = sloginsist.Hook{Logger: logger}.OnAttempt
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL + "/items?token=secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// level=INFO msg="insist: retrying" attempt=1 method=GET status=404 wait=1ms reason=status
	// level=WARN msg="insist: gave up" attempt=2 method=GET status=404 reason=attempts_used_up
	// 404 Not Found
}
