package integrationtests

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// TestAnEarlyResponse comes while the body is being read, and is kept. It is handed over
// at once and arrives whole, and so does the body. Above 299 net/http stops sending the
// body on HTTP/2, which must not spoil the response either.
func TestAnEarlyResponse(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		edit   func(*insist.Policy)
	}{
		{"buffered", 200, func(*insist.Policy) {}},
		{"too long to keep", 200, func(p *insist.Policy) { p.MaxReplayBytes = 100_000 }},
		{"looked into", 200, func(p *insist.Policy) { p.RetryableBody = insist.JSONFieldNot("/ok", true) }},
		{"refused", 403, func(p *insist.Policy) { p.RetryableStatus = func(code int) bool { return code > 499 } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			servertest.Each(t, func(t *testing.T, p servertest.Proto) {
				testEarlyResponse(t, p, c.status, c.edit)
			})
		})
	}
}

func testEarlyResponse(t *testing.T, p servertest.Proto, status int, edit func(*insist.Policy)) {
	data := servertest.Pattern(4 << 20) // more than sockets hold
	var hits servertest.Counter
	var returned atomic.Pointer[chan struct{}]
	s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Once") == "" && hits.Next(r) == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		control := http.NewResponseController(w)
		control.EnableFullDuplex()
		io.CopyN(io.Discard, r.Body, 10_000)
		w.WriteHeader(status)
		control.Flush()
		<-*returned.Load()
		if status == 200 || p == servertest.HTTP1 {
			n, err := io.Copy(io.Discard, r.Body)
			assert.NoError(t, err)
			assert.EqualValues(t, len(data)-10_000, n)
		}
		w.Write(servertest.Megabyte)
	})
	for _, u := range servertest.Uploads {
		t.Run(u.Name, func(t *testing.T) {
			req, record := requestTo(t, s, http.MethodPut, fmt.Sprint("/", u.Name), nil)
			bodies := u.Give(req, data)
			rt := over(s, edit)
			if _, seeks := req.Body.(io.Seeker); rt.Policy.MaxReplayBytes > 0 && req.GetBody == nil && !seeks {
				req.Header.Set("Once", "1")
			}
			got := make(chan struct{})
			returned.Store(&got)
			resp, err := rt.RoundTrip(req)
			close(got)
			require.NoError(t, err, "%v", record.Calls())
			assert.Equal(t, status, resp.StatusCode)
			assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.DigestOf(resp.Body))
			resp.Body.Close()
			bodies.Check(t)
		})
	}
}

// TestAnEarlyFailureIsNotReadToItsEnd: a connection on which the request did not come to
// its end is not used again, so that nothing is gained by reading the response. At its
// end net/http would wait for the request on HTTP/1, and hold a lock on which Close
// waits: virtual time would stand still here.
func TestAnEarlyFailureIsNotReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := servertest.HTTP1.StartOnNetwork(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests > 1 {
				return
			}
			control := http.NewResponseController(w)
			control.EnableFullDuplex()
			w.Header().Set("Content-Length", "2")
			w.WriteHeader(503)
			io.WriteString(w, "a")
			control.Flush()
			time.Sleep(20 * time.Millisecond) // so that net/http waits when the draining ends
			io.WriteString(w, "b")
		}))
		req, _ := http.NewRequest("PUT", "http://m/", nil)
		req.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("some data"), &oneSlowRead{time.Second})), nil
		}
		req.Body, _ = req.GetBody()
		base := s.Transport(0)
		resp, err := (&insist.RetryTransport{Base: base, Policy: insist.Policy{Backoff: insist.Constant(0)}}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, 2, requests)
		resp.Body.Close()
		time.Sleep(time.Minute)
		base.CloseIdleConnections()
		s.Close()
	})
}

// oneSlowRead is a reader without bytes, which takes its time to say so. Its Close does
// not end that Read.
type oneSlowRead struct{ time.Duration }

func (r *oneSlowRead) Read([]byte) (int, error) {
	time.Sleep(r.Duration)
	return 0, io.EOF
}
