package insisttest

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// conn is one end of a connection. Writes never block: HTTP/2 needs a buffer
// between its ends.
type conn struct {
	in, out *half
	abrupt  atomic.Bool
}

func pair() (client, server *conn) {
	a, b := newHalf(), newHalf()
	return &conn{in: a, out: b}, &conn{in: b, out: a}
}

func (c *conn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *conn) LocalAddr() net.Addr                { return addr{} }
func (c *conn) RemoteAddr() net.Addr               { return addr{} }
func (c *conn) SetDeadline(t time.Time) error      { return c.in.setDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return nil }

// SetLinger behaves like that of a net.TCPConn: after SetLinger(0), Close resets the
// connection, and bytes that the other end has not read are lost.
func (c *conn) SetLinger(sec int) error {
	c.abrupt.Store(sec == 0)
	return nil
}

func (c *conn) Close() error {
	c.in.end(net.ErrClosed, false)
	if c.abrupt.Load() {
		c.out.end(&net.OpError{Op: "read", Net: addr{}.Network(), Err: errno.Reset.Err()}, true)
	} else {
		c.out.end(io.EOF, false)
	}
	return nil
}

// half is one direction of a connection.
type half struct {
	mu       sync.Mutex
	changed  sync.Cond
	data     []byte
	err      error // once data has been read
	deadline time.Time
	timer    *time.Timer
}

func newHalf() *half {
	h := new(half)
	h.changed.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.err == net.ErrClosed:
			return 0, net.ErrClosed
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(h.data) > 0:
			n := copy(p, h.data)
			h.data = h.data[n:]
			return n, nil
		case h.err != nil:
			return 0, h.err
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0, &net.OpError{Op: "write", Net: addr{}.Network(), Err: errno.BrokenPipe.Err()}
	}
	h.data = append(h.data, p...)
	h.changed.Broadcast()
	return len(p), nil
}

func (h *half) end(err error, drop bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || err == net.ErrClosed {
		h.err = err
	}
	if drop {
		h.data = nil
	}
	if h.timer != nil {
		h.timer.Stop()
	}
	h.changed.Broadcast()
}

func (h *half) setDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	if h.deadline = t; !t.IsZero() {
		h.timer = time.AfterFunc(time.Until(t), h.changed.Broadcast)
	}
	h.changed.Broadcast()
	return nil
}
