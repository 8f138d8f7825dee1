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

// Through net/http, with which a response's request may be a copy of its own.
func TestProtocols(t *testing.T) {
	for _, c := range []struct {
		name string
		h2   bool
		want []string
	}{
		{"HTTP/1.1", false, []string{
			"POST Error status_code=503 version=1.1", "POST resend_count=1 status_code=200 version=1.1"}},
		{"HTTP/2", true, []string{
			"POST Error status_code=503 version=2", "POST resend_count=1 status_code=200 version=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var attempts atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if attempts.Add(1) == 1 {
					w.WriteHeader(503)
				}
				io.Copy(w, r.Body)
			}))
			server.EnableHTTP2 = c.h2
			server.StartTLS()
			defer server.Close()

			traces := newTraces(t)
			client := server.Client()
			own := &otelinsist.Transport{Base: client.Transport, TracerProvider: traces}
			client.Transport = &insist.RetryTransport{Base: own, Policy: quick(nil)}
			req := request(t, t.Context(), "POST")
			req.URL, _ = url.Parse(server.URL)
			sent := "a body that can be read once"
			req.Body = io.NopCloser(struct{ io.Reader }{strings.NewReader(sent)})
			resp, err := client.Do(req)
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			client.CloseIdleConnections()

			assert.Equal(t, sent, string(got))
			assert.Same(t, req, resp.Request)
			assert.Equal(t, c.want, traces.lines(semconv.HTTPResponseStatusCodeKey,
				semconv.HTTPRequestResendCountKey, semconv.NetworkProtocolVersionKey))
		})
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
