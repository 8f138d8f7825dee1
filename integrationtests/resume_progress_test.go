package integrationtests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// sender is a server of one file that says how many of the bytes from first on it
// sends in a response, and how many of them arrive.
type sender struct {
	file     []byte
	total    string // in a Content-Range; empty means the truth
	send     func(first int) (sent, arrive int)
	requests int
	times    []time.Time
}

func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	s.requests++
	s.times = append(s.times, time.Now())
	first, code := 0, http.StatusOK
	h := http.Header{"Etag": {tag}, "Accept-Ranges": {"bytes"}}
	sent, arrive := len(s.file), 1000 // of the first response
	if k, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-", &first); k > 0 {
		code = http.StatusPartialContent
		sent, arrive = s.send(first)
		sent = min(sent, len(s.file)-first)
		total := s.total
		if total == "" {
			total = strconv.Itoa(len(s.file))
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", first, first+sent-1, total))
	}
	resp := &http.Response{
		StatusCode: code, Header: h, ContentLength: int64(sent),
		Body: &insisttest.Body{Reader: bytes.NewReader(s.file[first : first+sent])},
	}
	if arrive >= sent {
		return resp, nil
	}
	return insisttest.CutAfter(arrive, func(*http.Request) (*http.Response, error) { return resp, nil })(req)
}

// TestProgressOfADownload: how often a server is asked that does not get on with a
// download, and how often after a wait.
func TestProgressOfADownload(t *testing.T) {
	both := func(n int) func(int) (int, int) { return func(int) (int, int) { return n, n } }
	const size = 1 << 20
	halves := 0
	for _, c := range []struct {
		name     string
		send     func(first int) (sent, arrive int)
		total    string
		size     int
		requests int
		waits    int
		complete bool
	}{
		{"all of the rest", both(size), "", size, 2, 1, true},
		{"parts that are large enough", both(16 << 10), "", size, 65, 1, true},
		{"parts that are large enough, total not told", both(16 << 10), "*", size, 65, 1, true},
		{"one byte", both(1), "", size, 3, 2, false},
		{"one byte, total not told", both(1), "*", size, 3, 2, false},
		{"one byte of a short file", both(1), "", 10_000, 3, 2, false},
		{"no byte arrives", func(int) (int, int) { return size, 0 }, "", size, 3, 2, false},
		{"few bytes arrive", func(int) (int, int) { return size, 1000 }, "", size, 3, 2, false},
		{"few bytes more than none arrive", func(int) (int, int) { return size, 6 << 10 }, "", size, 3, 2, false},
		{"half as many as are enough arrive", func(int) (int, int) { return size, 8 << 10 }, "", size, 129, 128, true},
		{"parts that shrink", func(int) (int, int) { halves /= 2; return halves, halves }, "", size, 6, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				halves = 128 << 10
				s := &sender{file: servertest.Pattern(c.size), total: c.total, send: c.send}
				p := insist.Policy{ResumeDownloads: true, Backoff: insist.Constant(time.Minute)}
				resp, err := (&insist.RetryTransport{Base: s, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.complete, err == nil, "%v", err)
				assert.Equal(t, c.complete, bytes.Equal(got, s.file))
				assert.True(t, bytes.HasPrefix(s.file, got))
				resp.Body.Close()
				waits := 0
				for i := range s.times[1:] {
					if s.times[i+1].Sub(s.times[i]) >= time.Minute {
						waits++
					}
				}
				assert.Equal(t, c.requests, s.requests)
				assert.Equal(t, c.waits, waits)
			})
		})
	}
}

// TestFirstResponsesWithoutAByte: each of them is an attempt of the same count.
func TestFirstResponsesWithoutAByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(status(503), part(0))
		resp, err := (&insist.RetryTransport{Base: b, Policy: resuming()}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		assert.Empty(t, got)
		assert.Len(t, b.Arrivals(), 3)
		resp.Body.Close()
	})
}

// TestAnEndlessDownload: a download whose first response has no length, and whose
// parts do not say where it ends, is not one that can be resumed.
func TestAnEndlessDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{file: servertest.Pattern(1 << 20), total: "*", send: func(int) (int, int) { return 32 << 10, 32 << 10 }}
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := s.RoundTrip(req)
			resp.ContentLength = -1
			return resp, err
		})
		resp, err := (&insist.RetryTransport{Base: base, Policy: resuming()}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, io.ErrUnexpectedEOF, err)
		assert.Len(t, got, 1000)
		assert.Equal(t, 2, s.requests)
		resp.Body.Close()
	})
}
