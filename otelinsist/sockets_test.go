package otelinsist_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/otelinsist"
)

// Bodies arrive whole in every order and by both protocols, though the first
// attempt's is refused before it was read. A span says which protocol it was.
func TestProtocols(t *testing.T) {
	body := strings.Repeat("a body ", 20_000)
	for _, o := range orders {
		for version, h2 := range map[string]bool{"1.1": false, "2": true} {
			t.Run(o.name+", HTTP/"+version, func(t *testing.T) {
				server := refusing(h2)
				defer server.Close()
				traces, client := newTraces(t), server.Client()
				client.Transport = o.stack(traces, newMeters(t), client.Transport)
				defer client.CloseIdleConnections()

				ctx, call := traces.Tracer("").Start(t.Context(), "call")
				for _, r := range []io.Reader{strings.NewReader(body), struct{ io.Reader }{strings.NewReader(body)}} {
					req, err := http.NewRequestWithContext(ctx, "POST", server.URL, r)
					require.NoError(t, err)
					resp, err := client.Do(req)
					require.NoError(t, err)
					got, err := io.ReadAll(resp.Body)
					assert.NoError(t, err)
					assert.NoError(t, resp.Body.Close())
					assert.True(t, body == string(got), "%d of %d bytes", len(got), len(body))
				}
				call.End()
				lines := join(traces.lines(semconv.HTTPRequestResendCountKey, semconv.NetworkProtocolVersionKey))
				assert.Contains(t, lines, " version="+version)
				assert.Equal(t, 2, strings.Count(lines, "resend_count=1"), lines)
			})
		}
	}
}

// refusing is a server that refuses every other request at once, and echoes the
// rest.
func refusing(h2 bool) *httptest.Server {
	var attempts atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if attempts.Add(1)%2 == 1 {
			w.WriteHeader(503)
			return
		}
		got, _ := io.ReadAll(r.Body)
		w.Write(got)
	}))
	server.EnableHTTP2 = h2
	server.StartTLS()
	return server
}

// net/http's answer may have a copy of the request that it was given.
func TestRequestOfTheResponse(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		server := refusing(h2)
		client := server.Client()
		client.Transport = &insist.RetryTransport{Base: own(client.Transport), Policy: quick(nil)}
		req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, struct{ io.Reader }{strings.NewReader("a body")})
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Same(t, req, resp.Request)
		client.CloseIdleConnections()
		server.Close()
	}
}

// An upgraded connection stays one that a reverse proxy can write to.
func TestUpgrade(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString(line)
		rw.Flush()
	}))
	defer server.Close()

	traces := newTraces(t)
	pooled := new(http.Transport)
	defer pooled.CloseIdleConnections()
	target, _ := url.Parse(server.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &insist.RetryTransport{
			Base: &otelinsist.Transport{Base: pooled, TracerProvider: traces}, Policy: quick(nil),
		},
	})
	defer proxy.Close()

	req, err := http.NewRequestWithContext(t.Context(), "GET", proxy.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := pooled.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, []string{"GET status_code=101"}, traces.lines(semconv.HTTPResponseStatusCodeKey))
	io.WriteString(resp.Body.(io.Writer), "hello\n")
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line)
}
