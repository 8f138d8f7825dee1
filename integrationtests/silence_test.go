package integrationtests

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// quietWorld is a server, and a base that reaches it over connections that can go
// silent.
type quietWorld struct {
	net  *servertest.QuietNetwork
	base *http.Transport
	url  string
}

// inQuietWorld runs a test in virtual time, for each way to speak HTTP that is given.
func inQuietWorld(t *testing.T, h http.HandlerFunc, protocols []servertest.Proto, test func(t *testing.T, w *quietWorld), tweaks ...func(*http.Server)) {
	for _, p := range protocols {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				li := insisttest.NewListener()
				s := &httptest.Server{Listener: li, EnableHTTP2: p == servertest.HTTP2, Config: &http.Server{
					Handler: h, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
				}}
				for _, tweak := range tweaks {
					tweak(s.Config)
				}
				s.Config.Protocols.SetHTTP1(p == servertest.HTTP1)
				s.Config.Protocols.SetHTTP2(p == servertest.HTTP2)
				s.Config.Protocols.SetUnencryptedHTTP2(p == servertest.H2C)
				w := &quietWorld{net: servertest.NewQuietNetwork(li.Dial), url: "http://example.com"}
				if p == servertest.HTTP2 {
					s.StartTLS()
					w.url = "https://example.com"
				} else {
					s.Start()
				}
				w.base = s.Client().Transport.(*http.Transport)
				w.base.DialContext, w.base.Protocols, w.base.IdleConnTimeout = w.net.Dial, s.Config.Protocols, 0
				w.base.MaxIdleConnsPerHost = 100
				t.Cleanup(func() {
					w.base.CloseIdleConnections()
					s.CloseClientConnections()
					s.Config.Close()
					time.Sleep(time.Hour) // for the slowest handler
					synctest.Wait()
				})
				test(t, w)
			})
		})
	}
}

var (
	overHTTP2 = []servertest.Proto{servertest.HTTP2, servertest.H2C}
	overHTTP1 = []servertest.Proto{servertest.HTTP1}
	overAll   = append(overHTTP1, overHTTP2...)
)

// send returns what came of a request: the body, and the attempts.
func (w *quietWorld) send(t *testing.T, rt http.RoundTripper, req *http.Request) (string, []insist.Attempt) {
	t.Helper()
	ctx, record := insist.WithRecord(req.Context())
	resp, err := rt.RoundTrip(req.WithContext(ctx))
	require.NoError(t, err, record)
	defer resp.Body.Close()
	if calls := record.Calls(); len(calls) > 0 {
		return text(t, resp), calls[0]
	}
	return text(t, resp), nil
}

func (w *quietWorld) get(t *testing.T, rt http.RoundTripper, path string) (string, []insist.Attempt) {
	t.Helper()
	return w.send(t, rt, request(t, "GET", w.url+path, nil))
}

// keep leaves n connections idle, each of which takes perConn requests at a time.
func (w *quietWorld) keep(t *testing.T, n, perConn int) {
	t.Helper()
	var all sync.WaitGroup
	for range n * perConn {
		all.Go(func() {
			resp, err := w.base.RoundTrip(request(t, "GET", w.url+"/wait", nil))
			if assert.NoError(t, err) {
				text(t, resp)
				resp.Body.Close()
			}
		})
		synctest.Wait()
	}
	all.Wait()
	synctest.Wait()
	require.Len(t, w.net.Conns(), n)
}

func (w *quietWorld) closed() (n int) {
	for _, c := range w.net.Conns() {
		if c.Closed() {
			n++
		}
	}
	return n
}

// opaque hides what it wraps.
func opaque(rt http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) { return rt.RoundTrip(r.Clone(r.Context())) })
}

// frank tells what it wraps, as Kubernetes' wrappers do.
type frank struct{ http.RoundTripper }

func (f frank) WrappedRoundTripper() http.RoundTripper { return f.RoundTripper }

// hello is a handler. The path says what it does before it responds.
func hello(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/hang":
		<-r.Context().Done()
		return
	case "/wait":
		time.Sleep(time.Second / 2)
	}
	c := http.NewResponseController(w)
	c.EnableFullDuplex() // HTTP/1 asks for it
	io.WriteString(w, "hello")
	c.Flush()
	io.Copy(w, r.Body)
}

// The attempt that timed out is the only request that a dead connection of HTTP/2
// has of the call and of later ones, be it the first on that connection or not.
func TestNoAttemptGoesDownADeadConnection(t *testing.T) {
	for name, c := range map[string]struct {
		wrap func(http.RoundTripper) http.RoundTripper
		edit func(*insist.Policy, *http.Transport)
		lost int // attempts
	}{
		"bare":                  {lost: 1},
		"frank wrapper":         {wrap: func(rt http.RoundTripper) http.RoundTripper { return frank{frank{rt}} }, lost: 1},
		"opaque wrapper":        {wrap: opaque, lost: 2},
		"the base's time limit": {edit: limitedBelow, lost: 2},
		"the base's, opaque":    {edit: limitedBelow, wrap: opaque, lost: 2},
	} {
		for _, warm := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/warm=%t", name, warm), func(t *testing.T) {
				inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
					rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
					if c.wrap != nil {
						rt.Base = c.wrap(w.base)
					}
					if c.edit != nil {
						c.edit(&rt.Policy, w.base)
					}
					req := request(t, "GET", w.url, nil)
					if warm {
						w.get(t, rt, "/")
						w.net.Silence()
					} else {
						req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
							GotConn: func(httptrace.GotConnInfo) { w.net.Conns()[0].Silence() },
						}))
					}
					body, attempts := w.send(t, rt, req)
					assert.Equal(t, "hello", body)
					require.Len(t, attempts, c.lost+1)
					for i, a := range attempts {
						retired := c.wrap == nil && i == c.lost-1 || name == "frank wrapper" && i == 0
						assert.Equal(t, retired, a.ConnRetired, i)
						assert.Equal(t, retired, strings.Contains(a.String(), ", connection retired"), a)
					}
					_, attempts = w.get(t, rt, "/")
					assert.Len(t, attempts, 1, "a later call")
					_, attempts = w.get(t, rt, "/")
					assert.Len(t, attempts, 1, "a later call")
					assert.Len(t, w.net.Conns(), 2)
					assert.Equal(t, 1, w.closed())
				})
			})
		}
	}
}

// limitedBelow has the base limit the time of an attempt in place of the policy.
func limitedBelow(p *insist.Policy, base *http.Transport) {
	p.PerAttemptTimeout, base.ResponseHeaderTimeout = 0, time.Second
}

// What else goes on over a connection that is given up is not harmed, in case it was
// only one request that took long; and it is closed after that.
func TestOpenStreamsOutliveTheirConnectionsRetirement(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		in, out := io.Pipe()
		stream, err := rt.RoundTrip(request(t, "POST", w.url, in))
		require.NoError(t, err)
		ctx, record := insist.WithRecord(t.Context())
		_, err = rt.RoundTrip(request(t, "GET", w.url+"/hang", nil).WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		for _, a := range record.Calls()[0] {
			assert.True(t, a.ConnRetired, "each attempt's own")
		}
		synctest.Wait()
		require.Len(t, w.net.Conns(), 3)
		assert.False(t, w.net.Conns()[0].Closed())
		assert.Equal(t, 2, w.closed())

		io.WriteString(out, "all of it")
		out.Close()
		assert.Equal(t, "helloall of it", text(t, stream))
		synctest.Wait()
		assert.Equal(t, 3, w.closed())
	})
}

// Many requests may time out on a connection at once.
func TestManyAttemptsOnOneDeadConnection(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		w.get(t, rt, "/")
		w.net.Silence()
		var wg sync.WaitGroup
		var retired atomic.Int32
		for range 90 { // a hundred at once is more than a connection takes
			wg.Go(func() {
				body, attempts := w.get(t, rt, "/")
				assert.Equal(t, "hello", body)
				assert.Len(t, attempts, 2)
				for _, a := range attempts {
					if a.ConnRetired {
						retired.Add(1)
					}
				}
			})
		}
		wg.Wait()
		assert.NotZero(t, retired.Load()) // more, where several asked the pool at once
		// net/http closes the connection with its last stream, or, if a request had
		// reserved a stream at that moment, when it has been idle. It is not used again.
		_, attempts := w.get(t, rt, "/")
		assert.Len(t, attempts, 1)
	})
}

// A server may allow for few streams on a connection, so that there are several. What
// died together is given up together.
func TestSeveralDeadConnections(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		w.keep(t, 5, 3)
		w.net.Silence()
		_, attempts := w.get(t, rt, "/")
		assert.Len(t, attempts, 2)
		synctest.Wait()
		assert.Len(t, w.net.Conns(), 6)
		assert.Equal(t, 5, w.closed())
	}, threeStreams)
}

// A connection that is not the pool's first choice when an attempt on it has timed
// out is given up when it is.
func TestASuspectIsRemembered(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		rt.Policy.Backoff = insist.Constant(0)
		for range 3 { // for half a second the first connection takes no more
			go func() { w.get(t, w.base, "/wait") }()
			synctest.Wait()
		}
		in, out := io.Pipe()
		stream, err := w.base.RoundTrip(request(t, "POST", w.url, in))
		require.NoError(t, err)
		ctx, record := insist.WithRecord(t.Context())
		rt.RoundTrip(request(t, "GET", w.url+"/hang", nil).WithContext(ctx))
		var retired []bool
		for _, a := range record.Calls()[0] {
			retired = append(retired, a.ConnRetired)
		}
		assert.Equal(t, []bool{false, true, true}, retired)
		out.Close()
		text(t, stream)
		synctest.Wait()
		assert.Len(t, w.net.Conns(), 3)
		assert.Equal(t, 3, w.closed())
	}, threeStreams)
}

func threeStreams(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 3} }

func TestIdleConnectionsToOthersStay(t *testing.T) {
	inQuietWorld(t, hello, overAll, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		other := *w
		other.url = strings.Replace(w.url, "example.com", "www.example.com", 1)
		other.keep(t, 1, 1)
		_, err := rt.RoundTrip(request(t, "GET", w.url+"/hang", nil))
		assert.Error(t, err)
		assert.Len(t, w.net.Conns(), 4)
		assert.False(t, w.net.Conns()[0].Closed())
		other.get(t, rt, "/")
		assert.Len(t, w.net.Conns(), 4)
	})
}

// Three attempts do not take three dead connections of HTTP/1.
func TestAfterATimeoutNoConnectionThatWasKeptAsLong(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		body   func() io.Reader
		wrap   func(http.RoundTripper) http.RoundTripper
		edit   func(*insist.Policy, *http.Transport)
	}{
		"GET":                   {method: "GET"},
		"opaque wrapper":        {method: "GET", wrap: opaque},
		"the base's time limit": {method: "GET", edit: limitedBelow},
		"PUT in memory":         {"PUT", func() io.Reader { return strings.NewReader(", body") }, nil, nil},
		"PUT of a stream":       {"PUT", func() io.Reader { return io.MultiReader(strings.NewReader(", body")) }, nil, nil},
		"POST in memory":        {"POST", func() io.Reader { return strings.NewReader(", body") }, nil, evenIfLost},
		"POST of a stream":      {"POST", func() io.Reader { return io.MultiReader(strings.NewReader(", body")) }, nil, evenIfLost},
	} {
		t.Run(name, func(t *testing.T) {
			inQuietWorld(t, hello, overHTTP1, func(t *testing.T, w *quietWorld) {
				const kept = 20 // more than the times that a body may be asked for
				rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
				if c.wrap != nil {
					rt.Base = c.wrap(w.base)
				}
				if c.edit != nil {
					c.edit(&rt.Policy, w.base)
				}
				w.keep(t, kept, 1)
				w.net.Silence()
				want, body := "hello", io.Reader(nil)
				if c.body != nil {
					want, body = "hello, body", c.body()
				}
				got, attempts := w.send(t, rt, request(t, c.method, w.url, body))
				assert.Equal(t, want, got)
				assert.Len(t, attempts, 2)
				assert.False(t, attempts[0].ConnRetired)
				synctest.Wait()
				assert.Len(t, w.net.Conns(), kept+1)
				assert.Equal(t, kept, w.closed())
			})
		})
	}
}

func evenIfLost(p *insist.Policy, _ *http.Transport) { p.NonIdempotent = insist.ResendEvenIfLost }

// One that has been used since is alive.
func TestAfterATimeoutAConnectionThatHasBeenUsedSince(t *testing.T) {
	inQuietWorld(t, hello, overHTTP1, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: within(time.Second)}
		w.keep(t, 3, 1)
		time.AfterFunc(time.Second/2, func() { w.get(t, rt, "/") })
		var first sync.Once
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			first.Do(info.Conn.(*servertest.QuietConn).Silence)
		}})
		_, attempts := w.send(t, rt, request(t, "GET", w.url, nil).WithContext(ctx))
		assert.Len(t, attempts, 2)
		assert.Len(t, w.net.Conns(), 3)
		assert.Equal(t, 1, w.closed())
	})
}

// net/http repeats no PUT, so that each attempt would meet another broken connection.
func TestThreeAttemptsDoNotMeetThreeBrokenConnections(t *testing.T) {
	inQuietWorld(t, hello, overHTTP1, func(t *testing.T, w *quietWorld) {
		rt := &insist.RetryTransport{Base: w.base, Policy: insist.Policy{Backoff: insist.Constant(time.Second)}}
		w.keep(t, 5, 1)
		w.net.Break()
		_, attempts := w.send(t, rt, request(t, "PUT", w.url, strings.NewReader("body")))
		require.Len(t, attempts, 2)
		assert.Equal(t, "connection_reset", attempts[0].Class())
		synctest.Wait()
		assert.Len(t, w.net.Conns(), 6)
		assert.Equal(t, 5, w.closed())
	})
}

// A wrapper may send the request elsewhere.
func TestADeadConnectionToAnotherHostThanTheCalls(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		elsewhere := roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.URL.Host = "example.com"
			return w.base.RoundTrip(r)
		})
		rt := &insist.RetryTransport{Base: described{elsewhere, w.base}, Policy: within(time.Second)}
		other := *w
		other.url = strings.Replace(w.url, "example.com", "service.test", 1)
		other.get(t, rt, "/")
		w.net.Silence()
		_, attempts := other.get(t, rt, "/")
		require.Len(t, attempts, 2)
		assert.True(t, attempts[0].ConnRetired)
	})
}

// described is a wrapper that says what is below it.
type described struct {
	http.RoundTripper
	below http.RoundTripper
}

func (d described) WrappedRoundTripper() http.RoundTripper { return d.below }

// A connection by which the caller manages his own is kept.
func TestAClientConnIsNotGivenUp(t *testing.T) {
	inQuietWorld(t, hello, overHTTP2, func(t *testing.T, w *quietWorld) {
		scheme, host, _ := strings.Cut(w.url, "://")
		port := map[string]string{"http": ":80", "https": ":443"}[scheme]
		c, err := w.base.NewClientConn(t.Context(), scheme, host+port)
		require.NoError(t, err)
		rt := &insist.RetryTransport{Base: c, Policy: within(time.Second)}
		limitedBelow(&rt.Policy, w.base)
		_, err = rt.RoundTrip(request(t, "GET", w.url+"/hang", nil))
		assert.Error(t, err)
		_, attempts := w.get(t, rt, "/")
		assert.Len(t, attempts, 1)
		c.Close()
	})
}

// On real sockets, through a proxy that drops what it is sent and closes nothing.
func TestABlackHole(t *testing.T) {
	for _, p := range overAll {
		t.Run(p.Name, func(t *testing.T) {
			s := p.Start(t, hello)
			hole := servertest.NewBlackHole(t, s.Listener.Addr().String())
			s.Base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, hole.Addr)
			}
			rt := over(s, func(p *insist.Policy) { p.PerAttemptTimeout = time.Second / 2 })
			w := &quietWorld{url: s.URL}
			w.get(t, rt, "/")
			hole.Drop()
			body, attempts := w.get(t, rt, "/")
			assert.Equal(t, "hello", body)
			assert.Equal(t, "timeout", attempts[0].Class())
			assert.Equal(t, p != servertest.HTTP1, attempts[0].ConnRetired)
			assert.Equal(t, len(attempts), hole.Count(), "each attempt after the first on a new connection")
			_, attempts = w.get(t, rt, "/")
			assert.NotEqual(t, "timeout", attempts[0].Class(), "a later call")
		})
	}
}

// A response's body that is silent for too long gives its connection up, too, be it
// resumed or not.
func TestASilentBodyGivesItsConnectionUp(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, unhurried{strings.NewReader(strings.Repeat("x", 1<<20))})
	}
	for _, resumes := range []bool{true, false} {
		t.Run(fmt.Sprintf("resumes=%t", resumes), func(t *testing.T) {
			inQuietWorld(t, h, overHTTP2, func(t *testing.T, w *quietWorld) {
				rt := &insist.RetryTransport{Base: w.base, Policy: insist.Policy{
					BodyIdleTimeout: time.Second, ResumeDownloads: resumes, Backoff: insist.Constant(time.Second),
				}}
				ctx, record := insist.WithRecord(t.Context())
				resp, err := rt.RoundTrip(request(t, "GET", w.url, nil).WithContext(ctx))
				require.NoError(t, err)
				_, err = io.ReadFull(resp.Body, make([]byte, 1000))
				require.NoError(t, err)
				w.net.Silence()
				rest, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resumes {
					require.NoError(t, err)
					assert.Len(t, rest, 1<<20-1000)
					attempts := record.Calls()[0]
					assert.Len(t, attempts, 2)
					assert.True(t, attempts[0].ConnRetired)
				} else {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				}
				body, attempts := w.get(t, rt, "/")
				assert.Len(t, body, 1<<20)
				assert.Len(t, attempts, 1)
				synctest.Wait()
				assert.Len(t, w.net.Conns(), 2)
				assert.Equal(t, 1, w.closed())
			})
		})
	}
}

// unhurried is a reader that takes a while for each piece.
type unhurried struct{ io.ReadSeeker }

func (u unhurried) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return u.ReadSeeker.Read(p)
}
