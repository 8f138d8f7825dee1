package insist_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestAGETThatCreatesIsNotRepeatedBelowUs: on a kept connection that is closed
// before the answer net/http sends a GET again by itself, and anything that has
// an idempotency key.
func TestAGETThatCreatesIsNotRepeatedBelowUs(t *testing.T) {
	creates := func(p *insist.Policy) { p.Idempotent = func(*http.Request) bool { return false } }
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
	} {
		srvEach(t, func(t *testing.T, p srvProto) {
			var hits counter
			s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if hits.next(r); r.URL.Path == "/create" {
					assert.Equal(t, c.body, string(body))
					if c.body == "" && p == http11 && c.method != "POST" {
						assert.Zero(t, r.ContentLength, "sent as a request without a body")
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
			assert.Equal(t, c.more, hits.count("/create") > 1, "%s: %d requests", c.name, hits.count("/create"))
		})
	}
}
