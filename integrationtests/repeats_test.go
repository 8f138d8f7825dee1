package integrationtests

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// guardedBodies are those of requests that must not be repeated.
var guardedBodies = map[string]func(req *http.Request){
	"none":   func(*http.Request) {},
	"NoBody": func(req *http.Request) { req.Body = http.NoBody },
	"in memory": func(req *http.Request) {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("hello")), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = 5
	},
	"GetBody": func(req *http.Request) {
		req.GetBody = func() (io.ReadCloser, error) { return servertest.Unknown(strings.NewReader("hello")), nil }
		req.Body, _ = req.GetBody()
	},
	"read once": func(req *http.Request) { req.Body = servertest.Unknown(strings.NewReader("hello")) },
	"file":      func(req *http.Request) { req.Body = servertest.File([]byte("hello")) },
}

// leaving is the layer of a RetryTransport that retries, below one that makes one attempt.
const leaving = "another RetryTransport"

// layers stand between a RetryTransport and net/http's.
var layers = map[string]func(http.RoundTripper) http.RoundTripper{
	"direct":      func(b http.RoundTripper) http.RoundTripper { return b },
	"without TLS": func(b http.RoundTripper) http.RoundTripper { return seeThrough{b} },
	"a layer that clones": func(b http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return b.RoundTrip(req.Clone(req.Context())) })
	},
	leaving: func(b http.RoundTripper) http.RoundTripper {
		return &insist.RetryTransport{Base: b, Policy: insist.Policy{Backoff: insist.Constant(0), Idempotent: func(*http.Request) bool { return false }}}
	},
	"a signer": func(b http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.GetBody != nil {
				body, err := req.GetBody()
				if err != nil {
					return nil, err
				}
				io.Copy(io.Discard, body)
			}
			return b.RoundTrip(req)
		})
	},
}

// seeThrough is a layer that says what it wraps.
type seeThrough struct{ http.RoundTripper }

func (s seeThrough) WrappedRoundTripper() http.RoundTripper { return s.RoundTripper }

// guarded makes one request that must not be repeated, with a server of frames, by TLS
// unless the layer is named otherwise.
func guarded(t *testing.T, method, layer, body string, attempts int, play func(c *servertest.FrameConn, stream uint32, n int)) (ends, int, error) {
	ctx, record := insist.WithRecord(t.Context())
	streams, err := guardedIn(t, ctx, method, layer, body, attempts, play)
	made := record.Calls()[0] // by the inner one, where there are two
	return ends{len(made), made[len(made)-1].Reason}, streams, err
}

// guardedIn is guarded with a context. If that has no record, the request may take the fast
// path.
func guardedIn(t *testing.T, ctx context.Context, method, layer, body string, attempts int, play func(c *servertest.FrameConn, stream uint32, n int)) (int, error) {
	s := &servertest.FrameServer{Play: play}
	li := insisttest.NewListener()
	base, url := (*http.Transport)(nil), "https://mem/"
	if layer == "without TLS" {
		base, url = s.Transport(li), "http://mem/"
	} else {
		base = s.TLSTransport(t, li)
	}
	defer func() {
		li.Close()
		synctest.Wait()
		base.CloseIdleConnections()
		synctest.Wait()
	}()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	require.NoError(t, err)
	guardedBodies[body](req)
	most := attempts
	if layer == leaving {
		most = 1
	}
	rt := &insist.RetryTransport{Base: layers[layer](base), Policy: insist.Policy{
		MaxAttempts: most, Backoff: insist.Constant(0),
		Idempotent: func(*http.Request) bool { return false },
	}}
	resp, err := rt.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	return s.Count(), err
}

func eachGuarded(t *testing.T, test func(t *testing.T, method, layer, body string, attempts int)) {
	for _, method := range []string{"POST", "PUT", "GET", "TRACE"} {
		for layer := range layers {
			for body := range guardedBodies {
				if method == "TRACE" && body != "none" {
					continue
				}
				for _, attempts := range []int{1, 3} {
					if layer == leaving && attempts == 1 {
						continue // the inner one makes three
					}
					t.Run(strings.Join([]string{method, layer, body, map[int]string{1: "once", 3: "thrice"}[attempts]}, "/"), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { test(t, method, layer, body, attempts) })
					})
				}
			}
		}
	}
}

// TestAProtocolErrorRepeatsNothing: it proves nothing, but net/http sends the request
// again, without end.
func TestAProtocolErrorRepeatsNothing(t *testing.T) {
	eachGuarded(t, func(t *testing.T, method, layer, body string, attempts int) {
		play := func(c *servertest.FrameConn, stream uint32, n int) {
			if n < 50 {
				c.Reset(stream, servertest.CodeProtocol)
				return
			}
			c.OK(stream) // enough
		}
		streams, _ := guardedIn(t, t.Context(), method, layer, body, attempts, play)
		assert.Equal(t, 1, streams, "without a record")
		got, streams, err := guarded(t, method, layer, body, attempts, play)
		assert.Equal(t, 1, streams)
		assert.Equal(t, maybeDone, got)
		if err != neterr.ErrRepeated {
			assert.ErrorContains(t, err, "PROTOCOL_ERROR")
		}
	})
}

// TestARefusedStreamIsSentAgain, by net/http or by us: the server did nothing.
func TestARefusedStreamIsSentAgain(t *testing.T) {
	eachGuarded(t, func(t *testing.T, method, layer, body string, attempts int) {
		got, streams, err := guarded(t, method, layer, body, attempts, func(c *servertest.FrameConn, stream uint32, n int) {
			if n == 1 {
				c.Reset(stream, servertest.CodeRefused)
				return
			}
			c.OK(stream)
		})
		if attempts == 1 && err != nil {
			assert.ErrorContains(t, err, "REFUSED_STREAM")
			assert.Equal(t, ends{1, insist.ReasonAttempts}, got)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, 2, streams)
	})
}

// TestAGoAwayIsNotRepeatedBlindly: where net/http says that it was one, the request is
// sent again.
func TestAGoAwayIsNotRepeatedBlindly(t *testing.T) {
	eachGuarded(t, func(t *testing.T, method, layer, body string, attempts int) {
		got, streams, err := guarded(t, method, layer, body, attempts, func(c *servertest.FrameConn, stream uint32, n int) {
			if n == 1 {
				c.GoAway(0, servertest.CodeNone)
				return
			}
			c.OK(stream)
		})
		switch {
		case err == neterr.ErrRepeated:
			assert.Equal(t, maybeDone, got)
			assert.Equal(t, 1, streams)
		case attempts == 1:
			assert.ErrorContains(t, err, "GOAWAY")
		default:
			assert.NoError(t, err)
			assert.Equal(t, 2, streams)
		}
	})
}

// failsOnce is a connection whose second write fails, with nothing written: as if it had
// been closed while it was idle.
type failsOnce struct {
	net.Conn
	writes *atomic.Int32
}

func (c failsOnce) Write(p []byte) (int, error) {
	if c.writes.Add(1) == 2 {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// TestAPostOnADeadConnection: nothing was written to it, so net/http alone sends the
// request on another one. With insist in between it arrives, too, also if the policy
// allows only one attempt.
func TestAPostOnADeadConnection(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, body := range []string{"none", "in memory"} {
			for _, attempts := range []int{1, 3} {
				t.Run(strings.Join([]string{scheme, body, strconv.Itoa(attempts)}, "/"), func(t *testing.T) {
					srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						io.Copy(io.Discard, r.Body)
					}))
					if scheme == "https" {
						srv.StartTLS()
					} else {
						srv.Start()
					}
					defer srv.Close()
					writes := new(atomic.Int32)
					base := srv.Client().Transport.(*http.Transport).Clone()
					base.ForceAttemptHTTP2 = false
					base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						c, err := new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
						return failsOnce{c, writes}, err
					}
					base.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						c, err := (&tls.Dialer{Config: base.TLSClientConfig}).DialContext(ctx, network, srv.Listener.Addr().String())
						return failsOnce{c, writes}, err
					}
					defer base.CloseIdleConnections()
					rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{MaxAttempts: attempts, Backoff: insist.Constant(0)}}
					for range 2 {
						req, err := http.NewRequest("POST", srv.URL, nil)
						require.NoError(t, err)
						guardedBodies[body](req)
						resp, err := rt.RoundTrip(req)
						require.NoError(t, err)
						resp.Body.Close()
					}
					assert.GreaterOrEqual(t, writes.Load(), int32(3))
				})
			}
		}
	}
}
