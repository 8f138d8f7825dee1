package servertest

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Direction is a direction of a connection.
type Direction int

const (
	Up   Direction = iota // from the client to the server
	Down                  // from the server to the client
)

func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Way is how a connection fails.
type Way int

const (
	// Reset ends both directions with ECONNRESET. What has arrived can still be
	// read. The Write that reaches the cut returns that error and how much of it
	// has arrived.
	Reset Way = iota

	// Closed ends both directions with io.EOF, after what has arrived. The Write
	// that reaches the cut succeeds, as one into a socket's buffer does.
	Closed

	// Silent drops everything that is written from then on, in both directions, and
	// reports it to neither end: no Write fails, no Read returns, and if one end closes
	// the connection, the other end doesn't see it.
	Silent
)

func (w Way) String() string { return [...]string{"reset", "closed", "silent"}[w] }

// CutAt is a failure of one connection. It happens as soon as After bytes have been
// written in the Direction.
type CutAt struct {
	Way       Way
	Direction Direction
	After     int64
}

func (c CutAt) String() string {
	return fmt.Sprintf("%v after %d bytes %v", c.Way, c.After, c.Direction)
}

// Network is a network in memory whose connections can be cut. It is the
// net.Listener of one server, and has the DialContext of its clients. The zero
// value is not usable; in a bubble of testing/synctest call NewNetwork there.
type Network struct {
	incoming chan net.Conn
	done     chan struct{}
	close    func()

	mu      sync.Mutex
	segment int
	links   []*link // in the order in which they were dialed
	cuts    map[int]CutAt
}

// NewNetwork returns a network without connections.
func NewNetwork() *Network {
	n := &Network{incoming: make(chan net.Conn), done: make(chan struct{}), cuts: make(map[int]CutAt)}
	n.close = sync.OnceFunc(func() { close(n.done) })
	return n
}

// Accept waits for the next connection.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// Close refuses new connections from then on.
func (n *Network) Close() error {
	n.close()
	return nil
}

// Addr returns the address example.com.
func (n *Network) Addr() net.Addr { return addr{} }

// DialContext connects to the server, whatever the network and address.
func (n *Network) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	l := n.add()
	select {
	case n.incoming <- end{l, Down}:
		return end{l, Up}, nil
	case <-n.done:
		n.forget(l)
		return nil, &net.OpError{Op: "dial", Net: addr{}.Network(), Addr: addr{}, Err: errno.Refused.Err()}
	case <-ctx.Done():
		n.forget(l)
		return nil, ctx.Err()
	}
}

func (n *Network) add() *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := newLink(n.segment)
	if c, ok := n.cuts[len(n.links)]; ok {
		l.arm(c)
	}
	n.links = append(n.links, l)
	return l
}

// forget ends a connection that the server did not accept. It keeps its number.
func (n *Network) forget(l *link) {
	l.shut(Up)
	l.shut(Down)
}

// Cut makes the connection with this number fail; the first that is dialed has number 0.
// Bytes count from now on or, if the connection is dialed later, from then on.
func (n *Network) Cut(number int, c CutAt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number < len(n.links) {
		n.links[number].arm(c)
		return
	}
	n.cuts[number] = c
}

// Segment bounds how many bytes one Read returns, for connections dialed from now on. Zero
// means no bound.
func (n *Network) Segment(size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.segment = size
}

// Mark resets Written to zero, for all connections.
func (n *Network) Mark() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.mark()
	}
}

// Written returns how many bytes have been written in a direction of the
// connection with this number, since it was dialed or marked.
func (n *Network) Written(number int, d Direction) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number >= len(n.links) {
		return 0
	}
	return n.links[number].written(d)
}

// Dialed returns how many connections have been dialed since the last Clear.
func (n *Network) Dialed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.links)
}

// Open returns how many connections the client has not closed.
func (n *Network) Open() (open int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		if l.open() {
			open++
		}
	}
	return open
}

// Clear ends all connections at both ends, and removes them and all cuts. The next
// connection that is dialed has number 0.
func (n *Network) Clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.shut(Up)
		l.shut(Down)
	}
	clear(n.links)
	n.links = n.links[:0]
	clear(n.cuts)
}

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "example.com" }
