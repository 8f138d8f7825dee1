package servertest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BlackHole is a TCP proxy on a real socket. It can drop everything that both ends send
// over its present connections without closing them, as if a NAT table had been flushed.
type BlackHole struct {
	Addr string

	mu    sync.Mutex
	conns []*hole
}

type hole struct {
	dropping atomic.Bool
	ends     [2]net.Conn
}

// NewBlackHole returns a proxy to the address.
func NewBlackHole(t *testing.T, to string) *BlackHole {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &BlackHole{Addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			h := &hole{ends: [2]net.Conn{client, server}}
			b.mu.Lock()
			b.conns = append(b.conns, h)
			b.mu.Unlock()
			all.Go(func() { h.copy(client, server) })
			all.Go(func() { h.copy(server, client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for _, h := range b.conns {
			h.close()
		}
		b.mu.Unlock()
		all.Wait()
	})
	return b
}

func (h *hole) copy(to io.Writer, from io.Reader) {
	data := make([]byte, 32<<10)
	for {
		n, err := from.Read(data)
		switch {
		case h.dropping.Load() && err == nil:
			continue
		case h.dropping.Load(): // don't report one end's failure to the other
			return
		case err == nil:
			_, err = to.Write(data[:n])
		}
		if err != nil {
			h.close()
			return
		}
	}
}

func (h *hole) close() {
	for _, c := range h.ends {
		c.Close()
	}
}

// Drop makes the proxy drop everything that is sent over its present connections.
func (b *BlackHole) Drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.conns {
		h.dropping.Store(true)
	}
}

// Count returns how many connections there have been.
func (b *BlackHole) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}
