package sabotage

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Network starts servers that their own Client can reach.
type Network struct {
	Serve, ServeTLS func(http.Handler) *httptest.Server
}

var (
	// TCP is for programs, on this machine.
	TCP = Network{httptest.NewServer, httptest.NewTLSServer}

	// Memory is for bubbles of testing/synctest, where waiting for a real socket
	// keeps the clock from moving. There, a reset is a connection that is closed.
	Memory = Network{
		func(h http.Handler) *httptest.Server { return startInMemory(h, (*httptest.Server).Start) },
		func(h http.Handler) *httptest.Server { return startInMemory(h, (*httptest.Server).StartTLS) },
	}
)

func startInMemory(h http.Handler, start func(*httptest.Server)) *httptest.Server {
	l := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = l
	start(server)
	server.Client().Transport.(*http.Transport).DialContext = l.dial
	return server
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns an address that a certificate of httptest is good for.
func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
