//lint:file-ignore SA1019 what is deprecated is in use, and is what is tested here

package golangx

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

func hello(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hang" {
		<-r.Context().Done()
		return
	}
	io.WriteString(w, "hello")
}

func get(t *testing.T, rt http.RoundTripper, url string) ([]insist.Attempt, error) {
	ctx, record := insist.WithRecord(t.Context())
	resp, err := rt.RoundTrip(servertest.Request(t, "GET", url, nil).WithContext(ctx))
	if err == nil {
		assert.Equal(t, "hello", servertest.Text(t, resp))
		resp.Body.Close()
	}
	return record.Calls()[0], err
}

func policy() insist.Policy {
	return insist.Policy{PerAttemptTimeout: time.Second / 4, Backoff: insist.Constant(0), MaxAttempts: 5}
}

// A transport whose HTTP/2 is golang.org/x/net's gives dead connections up as one
// whose HTTP/2 is net/http's own.
func TestConfiguredTransport(t *testing.T) {
	s := servertest.HTTP2.Start(t, hello)
	quiet := servertest.NewQuietNetwork(new(net.Dialer).DialContext)
	base := &http.Transport{TLSClientConfig: s.Base.TLSClientConfig.Clone(), DialContext: quiet.Dial}
	require.NoError(t, http2.ConfigureTransport(base))
	defer base.CloseIdleConnections()
	rt := &insist.RetryTransport{Base: base, Policy: policy()}
	for range 3 {
		_, err := get(t, rt, s.URL)
		require.NoError(t, err)
		quiet.Silence()
		attempts, err := get(t, rt, s.URL)
		require.NoError(t, err)
		assert.True(t, attempts[0].ConnRetired)
		assert.Equal(t, "timeout", attempts[0].Class())
	}

	before := len(quiet.Conns())
	attempts, err := get(t, rt, s.URL+"/hang")
	assert.Error(t, err)
	for _, a := range attempts {
		assert.True(t, a.ConnRetired)
	}
	assert.Equal(t, before+len(attempts)-1, len(quiet.Conns()), "each attempt after the first on a new connection")
}

// http2.Transport as the base has a pool that can't be told. With Request.Close it
// dials for the attempts after a timeout.
func TestBareHTTP2Transport(t *testing.T) {
	s := servertest.HTTP2.Start(t, hello)
	quiet := servertest.NewQuietNetwork(new(net.Dialer).DialContext)
	base := &http2.Transport{TLSClientConfig: s.Base.TLSClientConfig.Clone()}
	base.DialTLSContext = func(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
		c, err := quiet.Dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return tls.Client(c, config), nil
	}
	defer base.CloseIdleConnections()
	rt := &insist.RetryTransport{Base: base, Policy: policy()}
	_, err := get(t, rt, s.URL)
	require.NoError(t, err)
	quiet.Silence()
	attempts, err := get(t, rt, s.URL)
	require.NoError(t, err)
	assert.Equal(t, "timeout", attempts[0].Class())
	for _, c := range quiet.Conns() {
		c.Close()
	}
}

// losesFirst is a layer whose first attempt loses its connection.
type losesFirst struct {
	http.RoundTripper
	lost bool
}

func (l *losesFirst) WrappedRoundTripper() http.RoundTripper { return l.RoundTripper }

func (l *losesFirst) RoundTrip(req *http.Request) (*http.Response, error) {
	if !l.lost {
		l.lost = true
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return l.RoundTripper.RoundTrip(req)
}

// TestAnIdleConnectionWithoutTLSIsKept: x/net's transport speaks HTTP/2 on it, which other
// requests share, so that it is not closed in case it was lost with another one.
func TestAnIdleConnectionWithoutTLSIsKept(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	defer srv.Close()
	dials := 0
	base := &http2.Transport{AllowHTTP: true, DialTLSContext: func(_ context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		dials++
		return net.Dial(network, addr)
	}}
	defer base.CloseIdleConnections()
	for _, lost := range []bool{true, false, false} {
		rt := &insist.RetryTransport{Base: &losesFirst{base, lost}, Policy: insist.Policy{Backoff: insist.Constant(0)}}
		resp, err := rt.RoundTrip(servertest.Request(t, "GET", srv.URL, nil))
		require.NoError(t, err)
		resp.Body.Close()
	}
	assert.Equal(t, 1, dials)
}
