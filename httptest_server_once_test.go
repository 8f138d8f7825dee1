package insist_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestAGETThatCreatesIsNotRepeatedBelowUs: on a kept connection that is closed
// before the answer net/http sends a GET again by itself, and anything that has
// an idempotency key.
func TestAGETThatCreatesIsNotRepeatedBelowUs(t *testing.T) {
	creates := func(p *insist.Policy) { p.Idempotent = func(*http.Request) bool { return false } }
	once := func(p *insist.Policy) { creates(p); p.MaxAttempts = 1 }
	timed := func(p *insist.Policy) { once(p); p.PerAttemptTimeout = time.Minute }
	for _, c := range []struct {
		name   string
		method string
		body   string
		key    bool
		edit   func(*insist.Policy)
		more   bool // than one request
	}{
		{"by default", "GET", "", false, func(*insist.Policy) {}, true},
		{"GET", "GET", "", false, creates, false},
		{"HEAD", "HEAD", "", false, creates, false},
		{"GET with a body", "GET", "x", false, creates, false},
		{"POST with a key", "POST", "x", true, creates, false},
		{"POST with a key, no body", "POST", "", true, creates, false},
		{"PATCH with a key, no body", "PATCH", "", true, creates, false},
		{"DELETE with a key, no body", "DELETE", "", true, creates, false},
		{"GET, one attempt", "GET", "", false, once, false},
		{"POST with a key, one attempt", "POST", "x", true, once, false},
		{"POST with a key, no body, one attempt", "POST", "", true, once, false},
		{"POST with a key, one attempt, timed", "POST", "x", true, timed, false},
		{"GET, one attempt, timed", "GET", "", false, timed, false},
	} {
		srvEach(t, func(t *testing.T, p srvProto) {
			var hits counter
			s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if hits.next(r); r.URL.Path == "/create" {
					assert.Equal(t, c.body, string(body))
					assert.Equal(t, c.key, r.Header.Get("Idempotency-Key") == "1")
					if p == http11 || c.key {
						assert.EqualValues(t, len(c.body), r.ContentLength, "sent as a request without a body")
						assert.Empty(t, r.TransferEncoding)
					}
					srvCut(r, false)
				}
			})
			rt := s.over(c.edit)
			warm, _ := s.request(t, "GET", "/", nil) // the connection is kept
			resp, err := rt.RoundTrip(warm)
			require.NoError(t, err)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()

			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			req, _ := s.request(t, c.method, "/create", body)
			if c.key {
				req.Header.Set("Idempotency-Key", "1")
			}
			_, err = rt.RoundTrip(req)
			require.Error(t, err, c.name)
			assert.Equal(t, c.key, req.Header.Get("Idempotency-Key") == "1", "the caller's request was changed")
			assert.Equal(t, c.more, hits.count("/create") > 1, "%s: %d requests", c.name, hits.count("/create"))
		})
	}
}
