package servertest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// link is a connection. One lock guards both directions, since a cut of one ends
// the other at the same moment.
type link struct {
	mu      sync.Mutex
	pipes   [2]pipe // by Direction
	segment int
	cut     *CutAt // the next cut; nil if there is none
	silent  bool
}

// pipe is one direction of a link.
type pipe struct {
	changed sync.Cond // wakes the reader
	data    []byte    // written and not yet read
	written int64     // since the last mark
	counted int64     // since the cut was armed
	end     error     // what a Read returns after the data; if set, Writes fail

	closed   bool // the reading end has been closed
	deadline time.Time
	timer    *time.Timer
}

func newLink(segment int) *link {
	l := &link{segment: segment}
	for d := range l.pipes {
		l.pipes[d].changed.L = &l.mu
	}
	return l
}

func (l *link) arm(c CutAt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = &c
	l.pipes[Up].counted, l.pipes[Down].counted = 0, 0
	if c.After <= 0 {
		l.fail()
	}
}

// fail makes the cut.
func (l *link) fail() {
	way, err := l.cut.Way, io.EOF
	l.cut = nil
	switch way {
	case Silent:
		l.silent = true
		return
	case Reset:
		err = &net.OpError{Op: "read", Net: addr{}.Network(), Err: errno.Reset.Err()}
	}
	for d := range l.pipes {
		l.finish(Direction(d), err)
	}
}

// finish ends one direction, unless it has ended.
func (l *link) finish(d Direction, err error) {
	p := &l.pipes[d]
	if p.end == nil {
		p.end = err
	}
	p.changed.Broadcast()
}

func (l *link) write(d Direction, data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pipes[d]
	switch {
	case l.pipes[1-d].closed:
		return 0, net.ErrClosed
	case l.silent:
		return len(data), nil
	case p.end != nil:
		return 0, &net.OpError{Op: "write", Net: addr{}.Network(), Err: errno.BrokenPipe.Err()}
	}
	n, c := len(data), l.cut
	hit := c != nil && c.Direction == d && p.counted+int64(n) >= c.After
	if hit {
		n = int(c.After - p.counted)
	}
	p.data = append(p.data, data[:n]...)
	p.written += int64(n)
	p.counted += int64(n)
	p.changed.Broadcast()
	if hit {
		l.fail()
		if c.Way == Reset {
			return n, &net.OpError{Op: "write", Net: addr{}.Network(), Err: errno.Reset.Err()}
		}
	}
	return len(data), nil
}

func (l *link) read(d Direction, b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pipes[d]
	for {
		switch {
		case p.closed:
			return 0, net.ErrClosed
		case !p.deadline.IsZero() && !time.Now().Before(p.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(p.data) > 0:
			if l.segment > 0 {
				b = b[:min(len(b), l.segment)]
			}
			n := copy(b, p.data)
			p.data = p.data[n:]
			return n, nil
		case p.end != nil:
			return 0, p.end
		}
		p.changed.Wait()
	}
}

// shut closes the end that writes in this direction.
func (l *link) shut(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := &l.pipes[1-d]
	in.closed = true
	if in.timer != nil {
		in.timer.Stop()
	}
	in.changed.Broadcast()
	if !l.silent {
		l.finish(d, io.EOF)
		l.finish(1-d, io.EOF)
	}
}

func (l *link) setDeadline(d Direction, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pipes[d]
	if p.timer != nil {
		p.timer.Stop()
	}
	p.deadline, p.timer = t, nil
	if wait := time.Until(t); !t.IsZero() && wait > 0 && !p.closed {
		p.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			p.changed.Broadcast()
		})
	}
	p.changed.Broadcast()
	return nil
}

func (l *link) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pipes[Up].written, l.pipes[Down].written = 0, 0
}

func (l *link) written(d Direction) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pipes[d].written
}

// open reports whether the client has not closed its end.
func (l *link) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.pipes[Down].closed
}

// end is one end of a link. It writes in the direction out, and reads in the other.
type end struct {
	*link
	out Direction
}

func (e end) Read(p []byte) (int, error)         { return e.read(1-e.out, p) }
func (e end) Write(p []byte) (int, error)        { return e.write(e.out, p) }
func (e end) Close() error                       { e.shut(e.out); return nil }
func (e end) LocalAddr() net.Addr                { return addr{} }
func (e end) RemoteAddr() net.Addr               { return addr{} }
func (e end) SetDeadline(t time.Time) error      { return e.setDeadline(1-e.out, t) }
func (e end) SetReadDeadline(t time.Time) error  { return e.setDeadline(1-e.out, t) }
func (e end) SetWriteDeadline(t time.Time) error { return nil }
