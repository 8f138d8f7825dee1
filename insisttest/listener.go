package insisttest

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Listener is a network in memory, for servers in a bubble of testing/synctest:
// there a goroutine that waits on a socket keeps the clock from moving. HTTP/1
// and HTTP/2 work over it, with and without TLS, deadlines included:
//
//	network := insisttest.NewListener()
//	server := httptest.Server{Listener: network, Config: &http.Server{Handler: api}}
//	server.Start()
//	defer server.Close()
//	client := &http.Client{Transport: network.Transport()}
//
// Its address is example.com, for which httptest's certificate is good; whatever
// host is dialed, the connection is to this listener. A connection breaks as on
// a socket: after Close the other end reads what is left, and then io.EOF; after
// SetLinger(0) and Close it reads a reset at once.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

// NewListener returns a listener. In a bubble, call it there.
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

// Close ends listening: from then on connections are refused. Those that there
// are stay.
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr returns the address example.com.
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial connects to the listener, whatever the network and address. It is for the
// DialContext of an http.Transport of your own: one that keeps connections, whose
// CloseIdleConnections then has to be called before a bubble ends, or the one of
// httptest.Server.Client, which trusts its server's certificate.
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

// Transport returns a new transport that dials the listener. It makes a new
// connection for each request, so that net/http repeats none by itself and no
// connection is left to be closed.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{DialContext: l.Dial, DisableKeepAlives: true}
}

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "example.com" }
