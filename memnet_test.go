package insist_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memListener is a network in memory, for bubbles of testing/synctest: there a
// goroutine that waits on a real socket keeps the clock from moving.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr{} }

// dial is for http.Transport.DialContext.
func (l *memListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := memPair()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "mem", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "mem" }

// memConn is one end of a connection. Writes never block: HTTP/2 needs a buffer
// between its ends.
type memConn struct {
	in, out *memHalf
}

func memPair() (client, server *memConn) {
	a, b := newMemHalf(), newMemHalf()
	return &memConn{a, b}, &memConn{b, a}
}

func (c *memConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *memConn) LocalAddr() net.Addr                { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr               { return memAddr{} }
func (c *memConn) SetDeadline(t time.Time) error      { return c.in.setDeadline(t) }
func (c *memConn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(t) }
func (c *memConn) SetWriteDeadline(t time.Time) error { return nil }

func (c *memConn) Close() error {
	c.in.end(net.ErrClosed, false)
	c.out.end(io.EOF, false)
	return nil
}

// reset closes as a TCP reset does: what the other end has not read is lost.
func (c *memConn) reset() {
	c.in.end(net.ErrClosed, false)
	c.out.end(&net.OpError{Op: "read", Net: "mem", Err: syscall.ECONNRESET}, true)
}

// memHalf is one direction of a connection.
type memHalf struct {
	mu       sync.Mutex
	changed  sync.Cond
	data     []byte
	err      error // once data has been read
	deadline time.Time
	timer    *time.Timer
}

func newMemHalf() *memHalf {
	h := new(memHalf)
	h.changed.L = &h.mu
	return h
}

func (h *memHalf) read(p []byte) (int, error) {
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

func (h *memHalf) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0, &net.OpError{Op: "write", Net: "mem", Err: syscall.EPIPE}
	}
	h.data = append(h.data, p...)
	h.changed.Broadcast()
	return len(p), nil
}

func (h *memHalf) end(err error, drop bool) {
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

func (h *memHalf) setDeadline(t time.Time) error {
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
