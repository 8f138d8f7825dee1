package integrationtests

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// TestBodiesArriveWhole is the test of the replay: whatever the server does to
// the first two attempts, the third brings the whole body.
func TestBodiesArriveWhole(t *testing.T) {
	for _, p := range []servertest.Proto{servertest.HTTP1, servertest.H2C} {
		t.Run(p.Name, func(t *testing.T) { testBodiesArriveWhole(t, p) })
	}
}

func testBodiesArriveWhole(t *testing.T, p servertest.Proto) {
	var hits servertest.Counter
	s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
		if hits.Next(r) <= 2 {
			var i int
			fmt.Sscanf(r.URL.Path, "/%d/", &i)
			servertest.Faults[i].Play(w, r)
			return
		}
		io.WriteString(w, servertest.DigestOf(r.Body))
	})
	for i, f := range servertest.Faults {
		for k, u := range servertest.Uploads {
			t.Run(f.Name+"/"+u.Name, func(t *testing.T) {
				for run := range f.Runs {
					path := fmt.Sprintf("/%d/%d/%d", i, k, run)
					arrivesWhole(t, s, u, path)
					require.Equal(t, 3, hits.Count(path))
				}
			})
		}
	}
}

func arrivesWhole(t *testing.T, s *servertest.Server, u servertest.Upload, path string) {
	t.Helper()
	req, record := requestTo(t, s, http.MethodPut, path, nil)
	bodies := u.Give(req, servertest.Megabyte)
	resp, err := over(s).RoundTrip(req)
	require.NoError(t, err, "%v", record.Calls())
	require.Equal(t, servertest.Digest(servertest.Megabyte), servertest.ReadAndClose(t, resp))
	bodies.Check(t)
}

// TestNoAttemptArrivesShort: an attempt that is given up must not end at the
// server as if that had been all.
func TestNoAttemptArrivesShort(t *testing.T) {
	for _, p := range []servertest.Proto{servertest.HTTP1, servertest.H2C} {
		t.Run(p.Name, func(t *testing.T) {
			var hits servertest.Counter
			s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
				if hits.Next(r) < 4 {
					http.NewResponseController(w).EnableFullDuplex()
					w.WriteHeader(http.StatusServiceUnavailable)
					http.NewResponseController(w).Flush()
				}
				n, err := io.Copy(io.Discard, r.Body)
				if err == nil && n < int64(len(servertest.Megabyte)) {
					t.Errorf("%s: %d bytes, and an end", r.URL.Path, n)
				}
			})
			for _, u := range servertest.Uploads {
				for run := range 5 {
					req, _ := requestTo(t, s, http.MethodPut, fmt.Sprintf("/%s/%d", u.Name, run), nil)
					u.Give(req, servertest.Megabyte)
					resp, err := over(s).RoundTrip(req)
					if err == nil {
						resp.Body.Close()
					}
				}
			}
		})
	}
}
