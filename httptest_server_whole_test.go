package insist_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
)

// TestASmallAnswerArrivesWhole: the first one breaks off, in each of the ways in
// which a real one does.
func TestASmallAnswerArrivesWhole(t *testing.T) {
	full := megabyte[:30_000]
	breaks := map[string]func(http.ResponseWriter, *http.Request){
		"length known": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "30000")
			w.Write(full[:20_000])
		},
		"length unknown": func(w http.ResponseWriter, r *http.Request) { w.Write(full[:20_000]) },
		"zipped": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(full[:20_000])
			z.Flush()
		},
		"nothing": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "30000") },
	}
	srvEach(t, func(t *testing.T, p srvProto) {
		for name, breakOff := range breaks {
			for _, reset := range []bool{false, true} {
				t.Run(name, func(t *testing.T) {
					leak.Check(t)
					var hits counter
					s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
						if hits.next(r) > 1 {
							w.Write(full)
							return
						}
						breakOff(w, r)
						http.NewResponseController(w).Flush()
						srvCut(r, reset)
					})
					req, record := s.request(t, "GET", "/", nil)
					rt := s.over(func(p *insist.Policy) { p.MaxWholeBytes = 1 << 20 })
					within(t, func() {
						resp, err := rt.RoundTrip(req)
						require.NoError(t, err)
						got, err := io.ReadAll(resp.Body)
						assert.NoError(t, err)
						assert.Equal(t, digest(full), digest(got))
						assert.NoError(t, resp.Body.Close())
					})
					assert.Equal(t, 2, hits.count("/"), record)
					s.Close()
					s.base.CloseIdleConnections()
				})
			}
		}
	})
}
