package sabotage

import (
	"net/http"
	"net/http/httptest"

	"github.com/seed-552c89fc/insist/insisttest"
)

// Network starts servers that their own Client can reach.
type Network struct {
	Serve, ServeTLS func(http.Handler) *httptest.Server
}

var (
	// TCP is for programs, on this machine.
	TCP = Network{httptest.NewServer, httptest.NewTLSServer}

	// Memory is for bubbles of testing/synctest, where waiting for a real socket
	// keeps the clock from moving.
	Memory = Network{
		func(h http.Handler) *httptest.Server { return startInMemory(h, (*httptest.Server).Start) },
		func(h http.Handler) *httptest.Server { return startInMemory(h, (*httptest.Server).StartTLS) },
	}
)

func startInMemory(h http.Handler, start func(*httptest.Server)) *httptest.Server {
	network := insisttest.NewListener()
	server := &httptest.Server{Listener: network, Config: &http.Server{Handler: h}}
	start(server)
	server.Client().Transport.(*http.Transport).DialContext = network.Dial
	return server
}
