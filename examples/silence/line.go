package main

import (
	"context"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// network is an address to listen on, and what dials it.
type network interface {
	net.Listener
	Dial(ctx context.Context, _, _ string) (net.Conn, error) // for an http.Transport
}

type loopback struct{ net.Listener }

func (l loopback) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
}

// line is a proxy for TCP that can go silent.
type line struct {
	network
	all sync.WaitGroup

	mu    sync.Mutex
	wires []*wire
}

// wire is a connection through the proxy. It drops what comes when it has brought the
// client as many bytes as are left.
type wire struct {
	client, server net.Conn
	left           atomic.Int64
}

func newLine(proxy, server network) *line {
	l := &line{network: proxy}
	l.all.Go(func() {
		for {
			client, err := proxy.Accept()
			if err != nil {
				return
			}
			there, err := server.Dial(context.Background(), "", "")
			if err != nil {
				client.Close()
				continue
			}
			l.connect(&wire{client: client, server: there})
		}
	})
	return l
}

func (l *line) connect(w *wire) {
	w.left.Store(math.MaxInt64)
	l.mu.Lock()
	l.wires = append(l.wires, w)
	l.mu.Unlock()
	l.all.Go(func() { w.copy(w.server, w.client, w.up) })
	l.all.Go(func() { w.copy(w.client, w.server, w.down) })
}

// silence has each connection there is go silent when it has brought so many bytes more,
// unless it is silent. Connections that are made later are not affected.
func (l *line) silence(after int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wires {
		if w.left.Load() > 0 {
			w.left.Store(after)
		}
	}
}

// transport returns net/http's transport, for HTTP/2 without TLS.
func (l *line) transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.DialContext, t.Protocols = nil, l.Dial, new(http.Protocols)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

func (l *line) url() string { return "http://" + l.Addr().String() }

func (l *line) close() {
	l.network.Close()
	l.mu.Lock()
	for _, w := range l.wires {
		w.close()
	}
	l.mu.Unlock()
	l.all.Wait()
}

func (w *wire) copy(to, from net.Conn, passes func(n int) int) {
	defer w.close()
	data := make([]byte, 32<<10)
	for {
		n, err := from.Read(data)
		if err != nil {
			return
		}
		if n = passes(n); n == 0 {
			continue // and neither end hears of it
		}
		if _, err := to.Write(data[:n]); err != nil {
			return
		}
	}
}

// up returns how many of n bytes reach the server.
func (w *wire) up(n int) int {
	if w.left.Load() <= 0 {
		return 0
	}
	return n
}

// down returns how many of n bytes reach the client.
func (w *wire) down(n int) int {
	left := w.left.Add(-int64(n)) + int64(n)
	return int(min(max(left, 0), int64(n)))
}

func (w *wire) close() {
	w.client.Close()
	w.server.Close()
}
