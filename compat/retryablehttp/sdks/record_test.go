package sdks

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/sloginsist"
)

// TestRecord: what an SDK's retries do can be seen by the context that it is given.
func TestRecord(t *testing.T) {
	for name, make := range sdks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := insisttest.NewListener()
				server := &http.Server{Handler: insisttest.NewScript(insisttest.Status(503), ok)}
				go server.Serve(network)
				defer server.Close()
				client, err := make(func(tr *http.Transport) {
					tr.DialContext, tr.Proxy, tr.DisableKeepAlives = network.Dial, nil, true
				}, 0)
				if err != nil {
					t.Fatal(err)
				}

				var lines bytes.Buffer
				logger := slog.New(slog.NewTextHandler(&lines, nil))
				ctx, record := insist.WithRecord(t.Context())
				ctx = insist.EditPolicy(ctx, func(p *insist.Policy) {
					p.OnAttempt = sloginsist.Hook{Logger: logger}.OnAttempt
				})
				if err := client.get(ctx); err != nil {
					t.Fatal(err)
				}
				calls := record.Calls()
				if len(calls) != 1 || len(calls[0]) != 2 || calls[0][0].Status != 503 || calls[0][1].Status != 200 {
					t.Errorf("record: %s", record)
				}
				for _, want := range []string{"host=example.com", "status=503", "wait=1s"} {
					if !strings.Contains(lines.String(), want) || strings.Count(lines.String(), "\n") != 1 {
						t.Errorf("log: %swant: one line with %s", lines.String(), want)
					}
				}
			})
		})
	}
}
