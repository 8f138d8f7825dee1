package insist_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
)

// TestAGzipAnswerThatStalls: its head has come, and not a byte of its body. There
// net/http's Close waits for a Read under way, whatever the server is waiting for.
func TestAGzipAnswerThatStalls(t *testing.T) {
	condition := insist.JSONFieldNot("/ok", true)
	for _, c := range []struct {
		name   string
		status int
		edit   func(*insist.Policy)
	}{
		{"thrown away", 503, func(p *insist.Policy) {}},
		{"thrown away after a look", 503, func(p *insist.Policy) { p.RetryableBody = condition }},
		{"closed after a look", 200, func(p *insist.Policy) { p.RetryableBody = condition }},
		{"closed, not whole", 200, func(p *insist.Policy) { p.MaxWholeBytes = 100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			srvEach(t, func(t *testing.T, p srvProto) {
				leak.Check(t)
				var hits counter
				done, waited := make(chan struct{}), make(chan bool, 1)
				s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
					if hits.next(r) > 1 {
						return
					}
					w.Header().Set("Content-Encoding", "gzip")
					w.WriteHeader(c.status)
					http.NewResponseController(w).Flush()
					select {
					case <-done:
						waited <- true
					case <-r.Context().Done():
						waited <- true
					case <-time.After(10 * time.Second):
						waited <- false
					}
				})
				req, _ := s.request(t, "GET", "/", nil)
				resp, err := s.over(c.edit, func(p *insist.Policy) { p.MaxPeekTime = -1 }).RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				resp.Body.Close()
				close(done)
				assert.True(t, <-waited, "the client waited for the server")
				s.Close()
				s.base.CloseIdleConnections()
			})
		})
	}
}
