package onlytransport

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

var errNotAsked = errors.New("not to be asked")

// The price: a base that has spoken HTTP/2 already speaks HTTP/1 in its copy.
func TestHTTP2IsLost(t *testing.T) {
	server, client := start(t, secure, nil, sabotage.Early(0, 503, ""))
	if _, resp, err := send(t, server.Client(), "GET", server.URL, nil); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("got %v, %v, want HTTP/2 without us", resp, err)
	}
	transport := Retrying(server.Client().Transport.(*http.Transport), quick)
	defer transport.CloseIdleConnections()
	for _, c := range []*http.Client{{Transport: transport}, client} {
		if _, resp, err := send(t, c, "GET", server.URL, nil); err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 1 {
			t.Errorf("got %v, %v, want 200 by HTTP/1", resp, err)
		}
	}
}

// The way that the package's documentation names for those who need HTTP/2, and
// what it costs: what is set on the first transport doesn't count.
func TestASecondTransportKeepsHTTP2(t *testing.T) {
	server, _ := start(t, secure, sabotage.Early(0, 503, ""))
	first := &http.Transport{Protocols: new(http.Protocols)}
	first.Protocols.SetHTTP1(true)
	retry := &insist.RetryTransport{Base: server.Client().Transport, Policy: quick}
	first.RegisterProtocol("http", retry)
	first.RegisterProtocol("https", retry)
	first.Proxy = func(*http.Request) (*url.URL, error) { return nil, errNotAsked }
	attempts, resp, err := send(t, &http.Client{Transport: first}, "GET", server.URL, nil)
	if err != nil || resp.ProtoMajor != 2 || attempts != "503 200" {
		t.Errorf("got %v, %v, attempts %s, want HTTP/2", resp, err, attempts)
	}
}
