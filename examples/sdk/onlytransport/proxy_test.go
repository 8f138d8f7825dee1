package onlytransport

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

// A proxy that the SDK sets is used, for each attempt, and by CONNECT.
func TestProxy(t *testing.T) {
	for _, scheme := range schemes {
		t.Run(scheme.name, func(t *testing.T) {
			var requests atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				requests.Add(1)
				if req.Method == http.MethodConnect {
					tunnel(w, req.Host)
					return
				}
				(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, req)
			}))
			defer proxy.Close()
			server, client := start(t, scheme.serve, sabotage.Reset(0), sabotage.Early(0, 503, ""))
			address, _ := url.Parse(proxy.URL)
			transport := client.Transport.(*http.Transport)
			transport.Proxy, transport.DisableKeepAlives = http.ProxyURL(address), true
			attempts, _, err := send(t, client, "GET", server.URL, nil)
			if err != nil || requests.Load() != 3 {
				t.Errorf("got %v after %s, %d by the proxy", err, attempts, requests.Load())
			}
		})
	}
}

// tunnel answers a CONNECT.
func tunnel(w http.ResponseWriter, host string) {
	server, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
}
