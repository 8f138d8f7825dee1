package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	clientspdy "k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/seed-552c89fc/insist"
)

// always is the wrapper that one would write first.
func always(base http.RoundTripper) http.RoundTripper {
	return &insist.RetryTransport{Policy: insist.Standard(), Base: base}
}

// opaque hides what it wraps.
func opaque(base http.RoundTripper) http.RoundTripper {
	return struct{ http.RoundTripper }{always(base)}
}

// upgradeSPDY is the server's side of an exec by SPDY: it writes "hello" to the
// standard output, and that the command succeeded.
func upgradeSPDY(w http.ResponseWriter, req *http.Request) {
	if _, err := httpstream.Handshake(req, w, []string{"v4.channel.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 2)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, req, func(s httpstream.Stream, replySent <-chan struct{}) error {
		go func() {
			<-replySent
			streams <- s
		}()
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	for range 2 {
		s := <-streams
		switch s.Headers().Get("streamType") {
		case "stdout":
			io.WriteString(s, "hello")
		case "error":
			io.WriteString(s, `{"metadata": {}, "status": "Success"}`)
		}
		s.Close()
	}
	<-conn.CloseChan()
}

// execOn runs the command and returns its output.
func execOn(t *testing.T, executor remotecommand.Executor, err error) (string, error) {
	t.Helper()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdout: &out})
	return out.String(), err
}

// Where an upgrade is made through the transport of a client, client-go looks
// through its wrappers for the TLS configuration and the dialer beneath.
func TestTypeChecks(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(upgradeSPDY))
	defer server.Close()
	for _, tt := range []struct {
		name  string
		wrap  func(http.RoundTripper) http.RoundTripper
		fails string
	}{
		{"ours", retry(insist.Standard()), ""},
		{"around exec's own, too", always, ""},
		{"without WrappedRoundTripper", opaque, "transport"}, // of an unknown type, or without a TLS configuration
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := configFor(server)
			config.Wrap(tt.wrap)
			config.BearerToken = "token" // one more wrapper
			transport, err := rest.TransportFor(config)
			if err != nil {
				t.Fatal(err)
			}
			var out string
			upgrader, err := spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{UpgradeTransport: transport})
			if err == nil {
				address, _ := url.Parse(server.URL + "/exec")
				executor, failed := remotecommand.NewSPDYExecutorForTransports(upgrader,
					clientspdy.NewUpgraderForStreaming(upgrader), "POST", address)
				out, err = execOn(t, executor, failed)
			}
			dialer, notDialer := utilnet.DialerFor(transport)
			tlsConfig, notTLS := utilnet.TLSClientConfig(transport)
			if tt.fails != "" {
				for _, err := range []error{err, notDialer, notTLS} {
					if err == nil || !strings.Contains(err.Error(), tt.fails) {
						t.Errorf("got error %v, want %q", err, tt.fails)
					}
				}
				return
			}
			if err != nil || out != "hello" {
				t.Errorf("got %q, %v", out, err)
			}
			if notDialer != nil || dialer == nil || notTLS != nil || tlsConfig == nil || tlsConfig.RootCAs == nil {
				t.Errorf("no dialer (%v) or TLS configuration (%v)", notDialer, notTLS)
			}
		})
	}
}

// kubectl's executor tries a WebSocket first, and SPDY where the server refused to
// upgrade to that. It must see the refusal, not what a second attempt met. The transport
// for WebSockets changes the URL's scheme in place; each attempt starts from the caller's
// URL all the same.
func TestExecFallsBackToSPDY(t *testing.T) {
	refuseWebSocket := func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Upgrade") == "websocket" {
			http.Error(w, "no WebSocket here", http.StatusBadRequest)
			return
		}
		upgradeSPDY(w, req)
	}
	server := httptest.NewServer(http.HandlerFunc(refuseWebSocket))
	defer server.Close()
	for _, tt := range []struct {
		name string
		wrap func(http.RoundTripper) http.RoundTripper
	}{
		{"ours", retry(insist.Standard())},
		{"around exec's own, too", always},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := configFor(server)
			config.Wrap(tt.wrap)
			address, _ := url.Parse(server.URL + "/exec")
			socket, err := remotecommand.NewWebSocketExecutor(config, "GET", address.String())
			if err != nil {
				t.Fatal(err)
			}
			old, err := remotecommand.NewSPDYExecutor(config, "POST", address)
			if err != nil {
				t.Fatal(err)
			}
			executor, err := remotecommand.NewFallbackExecutor(socket, old, httpstream.IsUpgradeFailure)
			out, err := execOn(t, executor, err)
			if err != nil || out != "hello" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
}

// Where all goes well, a WebSocket passes a RetryTransport untouched.
func TestExecThroughRetryTransport(t *testing.T) {
	w := begin(t, httptest.NewServer)
	w.config.WrapTransport = always
	if out, err := execute.Make(w); out != "hello" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}
