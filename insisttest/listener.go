package insisttest

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Listener is a network in memory, for servers in a bubble of testing/synctest: if a
// goroutine in a bubble waits on a real socket, the bubble's clock stands still. HTTP/1
// and HTTP/2 work over a Listener, with and without TLS, and so do deadlines:
//
//	network := insisttest.NewListener()
//	server := httptest.Server{Listener: network, Config: &http.Server{Handler: api}}
//	server.Start()
//	defer server.Close()
//	client := &http.Client{Transport: network.Transport()}
//
// Its address is example.com, for which httptest's certificate is valid. Every dialed
// address connects to this listener. A connection ends as on a socket: after Close the
// other end reads the remaining bytes, and then io.EOF; after SetLinger(0) and Close it
// gets a reset at once.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

// NewListener returns a listener. For use in a bubble, call it inside that bubble.
func NewListener() *Listener {
	l := &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close refuses new connections from then on. Present connections stay open.
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr returns the address example.com.
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial connects to the listener, whatever the network and address. Use it as the
// DialContext of an http.Transport of your own, for example the one of
// httptest.Server.Client, which trusts its server's certificate. If that transport reuses
// connections, call its CloseIdleConnections before the bubble ends.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := pair()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: addr{}.Network(), Addr: addr{}, Err: errno.Refused.Err()}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport returns a new transport that dials the listener. It makes a new connection
// for each request. So net/http resends no request by itself, and no idle connection is
// left to close.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{DialContext: l.Dial, DisableKeepAlives: true}
}

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "example.com" }
