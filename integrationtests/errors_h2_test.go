package integrationtests

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// frameErrors are HTTP/2's own ways to fail. streams is how many the server
// saw: net/http repeats some by itself, within one attempt.
var frameErrors = []struct {
	name      string
	play      func(c *servertest.FrameConn, stream uint32, n int)
	get, post ends
	streams   [2]int // of the GET, and of the POST
	text      string // of the error
	waited    [2]time.Duration
}{
	{
		name: "REFUSED_STREAM once",
		play: func(c *servertest.FrameConn, stream uint32, n int) {
			if n == 1 {
				c.Reset(stream, servertest.CodeRefused)
				return
			}
			c.OK(stream)
		},
		get: succeeds(1), post: succeeds(2), streams: [2]int{2, 2},
	},
	{
		name: "REFUSED_STREAM for ever",
		play: func(c *servertest.FrameConn, stream uint32, n int) { c.Reset(stream, servertest.CodeRefused) },
		get:  usesUp(3), post: usesUp(3), streams: [2]int{24, 3},
		text: "REFUSED_STREAM", waited: [2]time.Duration{3 * 63 * time.Second},
	},
	{
		name: "INTERNAL_ERROR",
		play: func(c *servertest.FrameConn, stream uint32, n int) { c.Reset(stream, servertest.CodeInternal) },
		get:  usesUp(3), post: maybeDone, streams: [2]int{3, 1},
		text: "INTERNAL_ERROR",
	},
	{
		name: "CANCEL",
		play: func(c *servertest.FrameConn, stream uint32, n int) { c.Reset(stream, servertest.CodeCancel) },
		get:  usesUp(3), post: maybeDone, streams: [2]int{3, 1},
		text: "CANCEL",
	},
	{
		name: "GOAWAY, not processed",
		play: func(c *servertest.FrameConn, stream uint32, n int) {
			if n == 1 {
				c.GoAway(0, servertest.CodeNone)
				return
			}
			c.OK(stream)
		},
		get: succeeds(1), post: succeeds(2), streams: [2]int{2, 2},
	},
	{
		name: "GOAWAY with an error, not processed",
		play: func(c *servertest.FrameConn, stream uint32, n int) { c.GoAway(0, servertest.CodeCalm) },
		get:  usesUp(3), post: usesUp(3), streams: [2]int{3, 3},
		text: "received GOAWAY",
	},
	{
		name: "GOAWAY, maybe processed",
		play: func(c *servertest.FrameConn, stream uint32, n int) {
			c.GoAway(stream, servertest.CodeNone)
			c.Close()
		},
		get: usesUp(3), post: maybeDone, streams: [2]int{3, 1},
		text: "sent GOAWAY",
	},
	{
		name: "closed without a response",
		play: func(c *servertest.FrameConn, stream uint32, n int) { c.Close() },
		get:  usesUp(3), post: maybeDone, streams: [2]int{3, 1},
		text: "EOF",
	},
	{
		name: "reset without a response",
		play: func(c *servertest.FrameConn, stream uint32, n int) {
			c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
			c.Close()
		},
		get: usesUp(3), post: maybeDone, streams: [2]int{3, 1},
		text: "connection reset by peer",
	},
}

// ends is how a call ends: after how many attempts, and why.
type ends struct {
	attempts int
	reason   insist.Reason
}

func succeeds(n int) ends { return ends{n, insist.ReasonSuccess} }

func usesUp(n int) ends { return ends{n, insist.ReasonAttempts} }

var (
	maybeDone = ends{1, insist.ReasonMaybeDone}
	permanent = ends{1, insist.ReasonError}
)

// TestAPostIsNotRepeatedBelowUs: PROTOCOL_ERROR says nothing of what the server
// did, but net/http sends the request again, without end, if it has a GetBody.
func TestAPostIsNotRepeatedBelowUs(t *testing.T) {
	for name, body := range map[string]func() io.ReadCloser{
		"recorded":  func() io.ReadCloser { return servertest.Unknown(strings.NewReader("hello")) },
		"in memory": func() io.ReadCloser { return io.NopCloser(strings.NewReader("hello")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				li := insisttest.NewListener()
				s := &servertest.FrameServer{Play: func(c *servertest.FrameConn, stream uint32, n int) {
					switch {
					case n == 1:
						c.Status(stream, servertest.Status500)
					case n < 50:
						c.Reset(stream, servertest.CodeProtocol)
					default: // enough
						c.OK(stream)
					}
				}}
				base := s.Transport(li)
				got, _ := callWith(t, base, "POST", "http://mem/", body())
				assert.Equal(t, ends{2, insist.ReasonMaybeDone}, got)
				assert.Equal(t, 2, s.Count())
				li.Close()
				synctest.Wait()
				base.CloseIdleConnections()
				synctest.Wait()
			})
		})
	}
}

// TestARepetitionBelowUsIsBounded: that of an idempotent request, too.
func TestARepetitionBelowUsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		li := insisttest.NewListener()
		s := &servertest.FrameServer{Play: func(c *servertest.FrameConn, stream uint32, n int) {
			if n < 500 {
				c.Reset(stream, servertest.CodeProtocol)
			} else {
				c.OK(stream)
			}
		}}
		base := s.Transport(li)
		got, _ := callWith(t, base, "PUT", "http://mem/", servertest.Unknown(strings.NewReader("hello")))
		assert.Equal(t, usesUp(3), got)
		assert.LessOrEqual(t, s.Count(), 3*8)
		li.Close()
		synctest.Wait()
		base.CloseIdleConnections()
		synctest.Wait()
	})
}

func TestFrameErrors(t *testing.T) {
	for _, e := range frameErrors {
		for i, method := range []string{"GET", "POST"} {
			t.Run(e.name+"/"+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					li := insisttest.NewListener()
					s := &servertest.FrameServer{Play: e.play}
					base := s.Transport(li)
					start := time.Now()
					got, err := call(t, base, method, "http://mem/", i == 1)
					assert.Equal(t, []ends{e.get, e.post}[i], got)
					assert.Equal(t, e.streams[i], s.Count())
					if e.text != "" {
						require.ErrorContains(t, err, e.text)
					}
					waited := time.Since(start)
					assert.GreaterOrEqual(t, waited, e.waited[i])
					assert.LessOrEqual(t, waited, e.waited[i]+e.waited[i]/10, "net/http adds a tenth")
					li.Close()
					synctest.Wait() // for the streams to end
					base.CloseIdleConnections()
					synctest.Wait()
				})
			})
		}
	}
}

// call makes one call over base, up to three attempts without waits, and
// returns how it ended.
func call(t *testing.T, base http.RoundTripper, method, url string, body bool) (ends, error) {
	t.Helper()
	if !body {
		return callWith(t, base, method, url, nil)
	}
	return callWith(t, base, method, url, servertest.Unknown(strings.NewReader("hello")))
}

func callWith(t *testing.T, base http.RoundTripper, method, url string, body io.ReadCloser) (ends, error) {
	t.Helper()
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	require.NoError(t, err)
	req.Body = body
	transport := &insist.RetryTransport{Base: base, Policy: insist.Policy{Backoff: insist.Constant(0)}}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	all := reasons(t, record)
	return ends{len(all), all[len(all)-1]}, err
}
