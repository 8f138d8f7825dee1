package conn

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// world is a server of HTTP/2 and a transport, on a network in memory.
type world struct {
	t    *testing.T
	base *http.Transport
	net  *servertest.QuietNetwork
	url  string
	addr string
	hits atomic.Int32 // requests that the server has seen
	wait func()       // until the ends have nothing to tell each other
}

// inWorld runs a test in virtual time, over TLS and without it.
func inWorld(t *testing.T, test func(w *world)) {
	for scheme, addr := range map[string]string{"https": "example.com:443", "http": "example.com:80"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(newWorld(t, scheme, addr, synctest.Wait)) })
		})
	}
}

func newWorld(t *testing.T, scheme, addr string, wait func()) *world {
	li := insisttest.NewListener()
	w := &world{t: t, net: servertest.NewQuietNetwork(li.Dial), url: scheme + "://example.com", addr: addr, wait: wait}
	s := &httptest.Server{Listener: li, EnableHTTP2: scheme == "https", Config: &http.Server{
		Handler: http.HandlerFunc(w.serve), Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
	}}
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(scheme == "http")
	if scheme == "http" {
		s.Start()
	} else {
		s.StartTLS()
	}
	w.base = s.Client().Transport.(*http.Transport)
	w.base.DialContext, w.base.Protocols, w.base.IdleConnTimeout = w.net.Dial, s.Config.Protocols, 0
	t.Cleanup(func() {
		w.base.CloseIdleConnections()
		for _, c := range w.net.Conns() {
			c.Close()
		}
		s.Close()
	})
	return w
}

// serve echoes the body.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.hits.Add(1)
	http.NewResponseController(rw).Flush()
	io.Copy(rw, r.Body)
}

// open begins an exchange, and returns how to end it, and its connection.
func (w *world) open() (end func(), c net.Conn) {
	w.t.Helper()
	ctx := httptrace.WithClientTrace(w.t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { c = info.Conn },
	})
	in, out := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, "POST", w.url, in)
	require.NoError(w.t, err)
	resp, err := w.base.RoundTrip(req)
	require.NoError(w.t, err)
	return func() {
		w.t.Helper()
		io.WriteString(out, "hello")
		out.Close()
		body, err := io.ReadAll(resp.Body)
		assert.NoError(w.t, err)
		assert.Equal(w.t, "hello", string(body))
		w.wait()
	}, c
}

// written returns what has been sent over all connections.
func (w *world) written() (written int64) {
	w.wait()
	for _, c := range w.net.Conns() {
		written += c.Written()
	}
	return written
}

func only(c net.Conn) suspects { return suspects{conns: []net.Conn{c}} }

// A connection is retired each time, without a byte sent, or a connection dialed; its
// open stream goes on, and with that it ends.
func TestRetire(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 200 {
			end, c := w.open()
			before, hits := w.written(), w.hits.Load()
			retired, stuck := retire(w.base, w.addr, only(c))
			require.True(t, retired)
			require.False(t, stuck)
			retired, stuck = retire(w.base, w.addr, only(c))
			require.False(t, retired, "twice")
			require.False(t, stuck)
			require.Equal(t, before, w.written())
			require.Equal(t, hits, w.hits.Load())
			require.Len(t, w.net.Conns(), i+1)

			require.False(t, w.net.Conns()[i].Closed())
			end()
			require.True(t, w.net.Conns()[i].Closed())
		}
	})
}

func TestRetireAnIdleConnection(t *testing.T) {
	inWorld(t, func(w *world) {
		end, c := w.open()
		end()
		retired, _ := retire(w.base, w.addr, only(c))
		assert.True(t, retired)
		synctest.Wait()
		assert.True(t, w.net.Conns()[0].Closed())
	})
}

// What else the pool has is not harmed.
func TestRetireNone(t *testing.T) {
	inWorld(t, func(w *world) {
		retired, stuck := retire(w.base, w.addr, suspects{})
		assert.False(t, retired || stuck, "an empty pool")
		assert.Empty(t, w.net.Conns())

		end, _ := w.open()
		before := w.written()
		for _, s := range []suspects{{}, only(nil), only(uncomparable{}), only(new(net.TCPConn)), {since: time.Now().Add(-time.Second)}} {
			for range 100 {
				retired, stuck = retire(w.base, w.addr, s)
				require.False(t, retired || stuck)
			}
		}
		assert.Equal(t, before, w.written())
		end()
		for _, addr := range []string{"example.com:444", "www.example.com:443", "[::1]:1", "", "no address", ":", "*"} {
			retired, stuck = retire(w.base, addr, suspects{since: time.Now()})
			assert.False(t, retired || stuck, addr)
		}
		end, _ = w.open()
		end()
		assert.Len(t, w.net.Conns(), 1)
		assert.False(t, w.net.Conns()[0].Closed())
	})
}

type uncomparable struct {
	net.Conn
	_ []byte
}

// A connection that has been idle since then is a suspect like others.
func TestRetireWhatHasBeenIdle(t *testing.T) {
	inWorld(t, func(w *world) {
		end, _ := w.open()
		then := time.Now()
		retired, _ := retire(w.base, w.addr, suspects{since: then})
		assert.False(t, retired, "it is in use")
		end()
		time.Sleep(time.Second)
		retired, _ = retire(w.base, w.addr, suspects{since: time.Now().Add(-2 * time.Second)})
		assert.False(t, retired, "it has been used since")
		retired, _ = retire(w.base, w.addr, suspects{since: time.Now()})
		assert.True(t, retired)
	})
}

// While a write is stuck nothing can be encoded; but a connection is marked before.
// In real time, since net/http waits for a mutex.
func TestRetireAConnectionWhoseWritesAreStuck(t *testing.T) {
	for scheme, addr := range map[string]string{"https": "example.com:443", "http": "example.com:80"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t, scheme, addr, func() {})
			end, c := w.open()
			first := w.net.Conns()[0].Stick()
			var ended sync.WaitGroup
			ended.Go(end)
			<-first
			retired, stuck := retire(w.base, w.addr, only(c))
			assert.True(t, retired)
			assert.False(t, stuck)
			w.net.Conns()[0].Unstick()
			ended.Wait()
		})
	}
}

// Where a request has to wait for a slot, that takes no longer.
func TestRetireAConnectionThatIsFull(t *testing.T) {
	inWorld(t, func(w *world) {
		w.base.HTTP2 = &http.HTTP2Config{StrictMaxConcurrentRequests: true}
		end, c := w.open()
		ends := []func(){end}
		for range 249 { // as many as net/http's server allows for
			end, _ := w.open()
			ends = append(ends, end)
		}
		start := time.Now()
		retired, stuck := retire(w.base, w.addr, only(c))
		assert.False(t, retired)
		assert.True(t, stuck)
		assert.Equal(t, 2*patience, time.Since(start))
		for _, end := range ends {
			end()
		}
		assert.Len(t, w.net.Conns(), 1)
		retired, _ = retire(w.base, w.addr, only(c))
		assert.True(t, retired)
	})
}

// Requests that begin at the same time get another connection, or go on.
func TestRetireWhileRequestsBegin(t *testing.T) {
	inWorld(t, func(w *world) {
		end, c := w.open()
		end()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				req, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url, strings.NewReader("hello"))
				assert.NoError(t, err)
				resp, err := w.base.RoundTrip(req)
				if assert.NoError(t, err) {
					body, err := io.ReadAll(resp.Body)
					assert.NoError(t, err)
					assert.Equal(t, "hello", string(body))
				}
			})
			wg.Go(func() { retire(w.base, w.addr, only(c)) })
		}
		wg.Wait()
		assert.Nil(t, probe(w.base, w.addr, only(c)))
	})
}

// A transport without HTTP/2, one whose "https" is somebody else's, and one that has
// never been used: nothing is dialed.
func TestRetireDialsNever(t *testing.T) {
	for name, base := range map[string]*http.Transport{
		"HTTP/1":    {TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
		"new":       {ForceAttemptHTTP2: true},
		"keeps no":  {ForceAttemptHTTP2: true, DisableKeepAlives: true},
		"no dialer": {Proxy: http.ProxyFromEnvironment},
	} {
		base.DialContext = func(context.Context, string, string) (net.Conn, error) {
			t.Error(name, "dialed")
			return nil, net.ErrClosed
		}
		for range 100 {
			retired, stuck := retire(base, "example.com:443", suspects{since: time.Now()})
			assert.False(t, retired || stuck, name)
		}
	}
}

func TestAddrs(t *testing.T) {
	for _, c := range []struct {
		url, asked string
		want       []string
	}{
		{"https://example.com/path", "", []string{"example.com:443"}},
		{"http://example.com/path", "example.com:80", []string{"example.com:80"}},
		{"https://example.com:8443/", "proxy.test:3128", []string{"example.com:8443", "proxy.test:3128"}},
		{"https://[::1]/", "", []string{"[::1]:443"}},
		{"", "example.com:443", []string{"example.com:443"}},
		{"", "", nil},
	} {
		var u *url.URL
		if c.url != "" {
			var err error
			u, err = url.Parse(c.url)
			require.NoError(t, err)
		}
		assert.Equal(t, c.want, addrs(u, c.asked), c.url)
	}
}
