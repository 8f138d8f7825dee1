package integrationtests

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// settingsOf gives base the settings of DefaultBase that say how long.
func settingsOf(base *http.Transport) *http.Transport {
	d := insist.DefaultBase()
	d.DialContext, d.Protocols, d.TLSClientConfig = base.DialContext, base.Protocols, base.TLSClientConfig
	return d
}

// A dead connection of HTTP/2 is found in half a minute, with nothing else to limit
// the time of a request, and however many there are.
func TestTheDefaultBaseFindsADeadConnection(t *testing.T) {
	for name, more := range map[string]int{"alone": 0, "under load": 50} {
		t.Run(name, func(t *testing.T) {
			inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
				w.base = settingsOf(w.base)
				rt := &insist.RetryTransport{Base: w.base, Policy: insist.Policy{Backoff: insist.Constant(time.Second)}}
				w.get(t, rt, "/")
				w.net.Silence()
				start := time.Now()
				var all sync.WaitGroup
				for i := range 1 + more {
					all.Go(func() {
						time.Sleep(time.Duration(i) * time.Second / 2)
						body, attempts := w.get(t, rt, "/")
						assert.Equal(t, "hello", body)
						assert.Len(t, attempts, 2)
					})
				}
				all.Wait()
				assert.Equal(t, 31*time.Second, time.Since(start))
				w.base.CloseIdleConnections()
			})
		})
	}
}

// A server that takes long, and a connection that is alive, are no reason.
func TestTheDefaultBaseWaits(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Hour)
		io.WriteString(w, "hello")
	}
	inQuietWorld(t, h, overAll, func(t *testing.T, w *quietWorld) {
		w.base = settingsOf(w.base)
		body, attempts := w.get(t, &insist.RetryTransport{Base: w.base}, "/")
		assert.Equal(t, "hello", body)
		assert.Len(t, attempts, 1)
		w.base.CloseIdleConnections()
	})
}

// policing is a server of HTTP/2 that allows for few pings, as gRPC's servers do by
// default: each but the first since it has sent headers or data is a strike, and the
// third ends the connection.
type policing struct {
	servertest.FrameServer
	mu    sync.Mutex
	pings map[*servertest.FrameConn]int
	ended int // connections
}

func (s *policing) ping(c *servertest.FrameConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pings[c]++; s.pings[c] > 3 {
		s.ended++
		c.GoAway(1<<31-1, servertest.CodeCalm)
		c.Close()
	}
}

func (s *policing) sent(c *servertest.FrameConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pings[c] = 0
}

// A server that polices pings is not offended by idle connections, since those are
// closed first, nor by requests that take a minute. It ends one that takes longer.
func TestAServerThatPolicesPings(t *testing.T) {
	for took, attempts := range map[time.Duration]int{0: 1, 75 * time.Second: 1, 85 * time.Second: 3} {
		t.Run(took.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				li := insisttest.NewListener()
				defer li.Close()
				s := &policing{pings: map[*servertest.FrameConn]int{}}
				s.FrameServer.Play = func(c *servertest.FrameConn, stream uint32, _ int) {
					time.AfterFunc(took, func() {
						s.sent(c)
						c.OK(stream)
					})
				}
				s.FrameServer.Ping = s.ping
				base := settingsOf(s.Transport(li))
				rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{Backoff: insist.Constant(0)}}
				ctx, record := insist.WithRecord(t.Context())
				resp, err := rt.RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
				if attempts == 1 {
					require.NoError(t, err)
					resp.Body.Close()
					time.Sleep(10 * time.Minute)
					assert.Zero(t, s.ended)
				} else {
					require.Error(t, err)
					assert.Equal(t, "http2_goaway", record.Calls()[0][0].Class())
				}
				assert.Len(t, record.Calls()[0], attempts)
				base.CloseIdleConnections()
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestDefaultBase(t *testing.T) {
	base := insist.DefaultBase()
	assert.NotSame(t, base, insist.DefaultBase())
	assert.NotNil(t, base.Proxy)
	assert.Positive(t, base.TLSHandshakeTimeout)
	assert.Zero(t, base.ResponseHeaderTimeout, "long polls are not cut")
	assert.LessOrEqual(t, base.HTTP2.SendPingTimeout+base.HTTP2.PingTimeout, 30*time.Second)
	assert.Less(t, base.IdleConnTimeout, 4*base.HTTP2.SendPingTimeout)
	below := new(insist.RetryTransport).WrappedRoundTripper().(*http.Transport)
	assert.Equal(t, base.HTTP2, below.HTTP2)
	assert.Same(t, below, new(insist.RetryTransport).WrappedRoundTripper(), "all share it")
}
