package servertest

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// DialFunc is an http.Transport's DialContext.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// QuietNetwork records the connections that a transport has dialed. A connection can be
// silenced: everything that either end writes is lost, and neither end gets an error. Or
// it can be broken: it is silent until the client writes, and then the client reads a
// reset.
type QuietNetwork struct {
	dial  DialFunc
	mu    sync.Mutex
	conns []*QuietConn
}

// NewQuietNetwork returns a network that dials by dial.
func NewQuietNetwork(dial DialFunc) *QuietNetwork { return &QuietNetwork{dial: dial} }

// Dial is for an http.Transport's DialContext.
func (n *QuietNetwork) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	q := &QuietConn{Conn: c, Addr: addr, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, q)
	return q, nil
}

// Conns returns all connections in the order in which they were dialed, closed ones
// included.
func (n *QuietNetwork) Conns() []*QuietConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.conns)
}

// Silence silences all connections that have been dialed so far.
func (n *QuietNetwork) Silence() {
	for _, c := range n.Conns() {
		c.Silence()
	}
}

// Break breaks all connections that have been dialed so far.
func (n *QuietNetwork) Break() {
	for _, c := range n.Conns() {
		c.broken.Store(true)
		c.Silence()
	}
}

// QuietConn is a client's end of a connection.
type QuietConn struct {
	net.Conn
	Addr string // the address that was dialed

	silent  atomic.Bool
	broken  atomic.Bool
	reset   atomic.Bool
	written atomic.Int64
	stuck   atomic.Pointer[stuck]
	once    sync.Once
	closed  chan struct{}
}

type stuck struct {
	once  sync.Once
	first chan struct{}
	end   chan struct{}
}

// Stick makes writes block until Unstick, as when the other end reads nothing. The channel
// is closed when the first write blocks.
func (c *QuietConn) Stick() <-chan struct{} {
	s := &stuck{first: make(chan struct{}), end: make(chan struct{})}
	c.stuck.Store(s)
	return s.first
}

// Unstick lets blocked writes continue.
func (c *QuietConn) Unstick() { close(c.stuck.Swap(nil).end) }

// Silence silences the connection.
func (c *QuietConn) Silence() { c.silent.Store(true) }

// Written returns how many bytes the client has written.
func (c *QuietConn) Written() int64 { return c.written.Load() }

// Closed reports whether the client has closed the connection.
func (c *QuietConn) Closed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func (c *QuietConn) Write(p []byte) (int, error) {
	if s := c.stuck.Load(); s != nil {
		s.once.Do(func() { close(s.first) })
		select {
		case <-s.end:
		case <-c.closed:
		}
	}
	if c.silent.Load() && !c.Closed() {
		c.written.Add(int64(len(p)))
		if c.broken.Load() {
			c.reset.Store(true)
			c.Conn.SetReadDeadline(time.Unix(0, 0))
		}
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

func (c *QuietConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if !c.silent.Load() {
			return n, err
		}
		if c.reset.Load() && !c.Closed() {
			return 0, &net.OpError{Op: "read", Err: errno.Reset.Err()}
		}
		if err == io.EOF { // the server's
			<-c.closed
		}
		if err != nil {
			return 0, err
		}
	}
}

func (c *QuietConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
