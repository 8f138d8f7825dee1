package insist_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fault is what the server does in place of an answer.
type fault struct {
	name string
	runs int // more where it is a matter of timing
	play http.HandlerFunc
}

var faults = []fault{
	{"early 503", 20, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}},
	{"503 in mid-upload", 5, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			http.NewResponseController(w).EnableFullDuplex()
			w.Header().Set("Connection", "close")
		}
		io.CopyN(io.Discard, r.Body, 10_000)
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}},
	{"reset before headers", 2, func(w http.ResponseWriter, r *http.Request) { srvCut(r, true) }},
	{"reset in mid-upload", 5, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 300_000)
		srvCut(r, true)
	}},
	{"closed without an answer", 2, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		srvCut(r, false)
	}},
	{"stream aborted", 2, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }},
}

// TestBodiesArriveWhole is the test of the replay: whatever the server does to
// the first two attempts, the third brings the whole body.
func TestBodiesArriveWhole(t *testing.T) {
	for _, p := range []srvProto{http11, http2raw} {
		t.Run(p.name, func(t *testing.T) { testBodiesArriveWhole(t, p) })
	}
}

func testBodiesArriveWhole(t *testing.T, p srvProto) {
	var hits counter
	s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
		if hits.next(r) <= 2 {
			var i int
			fmt.Sscanf(r.URL.Path, "/%d/", &i)
			faults[i].play(w, r)
			return
		}
		io.WriteString(w, digestOf(r.Body))
	})
	for i, f := range faults {
		for k, u := range uploads {
			t.Run(f.name+"/"+u.name, func(t *testing.T) {
				for run := range f.runs {
					path := fmt.Sprintf("/%d/%d/%d", i, k, run)
					arrivesWhole(t, s, u, path)
					require.Equal(t, 3, hits.count(path))
				}
			})
		}
	}
}

func arrivesWhole(t *testing.T, s *server, u upload, path string) {
	t.Helper()
	req, record := s.request(t, http.MethodPut, path, nil)
	bodies := u.give(req, megabyte)
	resp, err := s.over().RoundTrip(req)
	require.NoError(t, err, "%v", record.Calls())
	require.Equal(t, digest(megabyte), srvText(t, resp))
	bodies.check(t)
}

// TestNoAttemptArrivesShort: an attempt that is given up must not end at the
// server as if that had been all.
func TestNoAttemptArrivesShort(t *testing.T) {
	for _, p := range []srvProto{http11, http2raw} {
		t.Run(p.name, func(t *testing.T) {
			var hits counter
			s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
				if hits.next(r) < 4 {
					http.NewResponseController(w).EnableFullDuplex()
					w.WriteHeader(http.StatusServiceUnavailable)
					http.NewResponseController(w).Flush()
				}
				n, err := io.Copy(io.Discard, r.Body)
				if err == nil && n < int64(len(megabyte)) {
					t.Errorf("%s: %d bytes, and an end", r.URL.Path, n)
				}
			})
			for _, u := range uploads {
				for run := range 5 {
					req, _ := s.request(t, http.MethodPut, fmt.Sprintf("/%s/%d", u.name, run), nil)
					u.give(req, megabyte)
					resp, err := s.over().RoundTrip(req)
					if err == nil {
						resp.Body.Close()
					}
				}
			}
		})
	}
}

// megabyte is a body that neither the buffers of a connection nor a window of
// HTTP/2 hold.
var megabyte = srvPattern(1<<20 + 17)

// eventually waits for something that is sure to come, and whose coming nothing
// tells of.
func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		runtime.Gosched()
	}
	require.Eventually(t, done, 10*time.Second, time.Millisecond, what)
}
