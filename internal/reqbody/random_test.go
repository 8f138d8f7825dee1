package reqbody

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// dice are chances that many goroutines may share.
type dice struct {
	mu sync.Mutex
	*rand.Rand
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.IntN(n)
}

func (d *dice) pause() {
	if d.below(3) == 0 {
		time.Sleep(time.Duration(d.below(1000)) * time.Millisecond)
	}
}

// moody gives what it has in any way that is allowed. Its Close does not wait for a Read,
// which then may say that the body ends.
type moody struct {
	io.Reader
	io.Seeker
	*dice
	closed chan struct{}
	once   sync.Once
	reads  sync.Mutex // held during a Read: two at once are a fault
	faults *error
}

func (m *moody) Read(p []byte) (n int, err error) {
	if !m.reads.TryLock() {
		*m.faults = errors.New("two Reads at once")
		return 0, *m.faults
	}
	defer m.reads.Unlock()
	m.pause()
	select {
	case <-m.closed:
		return 0, io.EOF
	default:
	}
	n, err = m.Reader.Read(p[:min(len(p), m.below(3000))])
	m.pause()
	return n, err
}

func (m *moody) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// TestRandomReaders: whatever a base does with the readers of its attempts, each reads
// the body from its start, and an end only after all of it; and all ends.
func TestRandomReaders(t *testing.T) {
	seed := rand.Uint64()
	for i := range uint64(400) {
		for kind := range 4 {
			synctest.Test(t, func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("seed %d, %d, kind %d", seed, i, kind)
					}
				}()
				randomReaders(t, kind, &dice{Rand: rand.New(rand.NewPCG(seed, i))})
			})
		}
	}
}

func randomReaders(t *testing.T, kind int, d *dice) {
	data := pattern(1 + d.below(40_000))
	var fault error
	var given []*moody
	anew := func(r *bytes.Reader) *moody {
		m := &moody{Reader: r, dice: d, closed: make(chan struct{}), faults: &fault}
		given = append(given, m)
		return m
	}
	req := request(t, "PUT", "http://x/", nil)
	limit := int64(1 + d.below(60_000))
	switch kind {
	case 0: // read once
		req.Body = struct{ io.ReadCloser }{anew(bytes.NewReader(data))}
	case 1: // GetBody
		req.GetBody = func() (io.ReadCloser, error) { return struct{ io.ReadCloser }{anew(bytes.NewReader(data))}, nil }
		req.Body, _ = req.GetBody()
	case 2: // GetBody rewinds what its readers share
		shared := bytes.NewReader(data)
		req.GetBody = func() (io.ReadCloser, error) {
			shared.Seek(0, io.SeekStart)
			return struct{ io.ReadCloser }{anew(shared)}, nil
		}
		req.Body, _ = req.GetBody()
	case 3: // seeks
		shared := bytes.NewReader(data)
		m := anew(shared)
		m.Seeker = shared
		req.Body = m
	}
	if d.below(2) == 0 {
		req.ContentLength = int64(len(data))
	}
	c := &call{req: req}
	c.Take(req, limit)
	var all sync.WaitGroup
	for attempt := range 4 {
		if !c.Whole() {
			break
		}
		l := c.lease()
		if c.Fill(l) != nil {
			break
		}
		all.Go(func() { reads(t, d, l.Request.Body, data) })
		for range d.below(4) {
			all.Go(func() {
				d.pause()
				if body, err := l.Request.GetBody(); err == nil {
					reads(t, d, body, data)
				}
			})
		}
		time.Sleep(time.Duration(d.below(20)) * time.Second)
		switch d.below(4) {
		case 0:
			c.stream.revoke(l, errLost, 0)
		case 1:
			if attempt == 3 {
				c.Keep()
				time.Sleep(time.Hour)
			}
		}
		c.Revoke()
	}
	c.End()
	all.Wait()
	time.Sleep(time.Minute) // for a Read in flight
	assert.NoError(t, fault)
	for _, m := range given {
		select {
		case <-m.closed:
		default:
			t.Errorf("a reader was not closed, of %d", len(given))
		}
	}
}

// reads reads body for as long as it likes.
func reads(t *testing.T, d *dice, body io.ReadCloser, data []byte) {
	defer body.Close()
	var got []byte
	empty := 0
	for most := d.below(2 * len(data)); len(got) <= most; {
		d.pause()
		p := make([]byte, 1+d.below(5000))
		n, err := body.Read(p)
		got = append(got, p[:n]...)
		if !bytes.HasPrefix(data, got) {
			t.Errorf("%d bytes that are not the body's", len(got))
			return
		}
		if n == 0 && err == nil {
			empty++
		}
		assert.Less(t, empty, 1000, "Reads that return nothing")
		if err == io.EOF && len(got) != len(data) {
			t.Errorf("an end after %d bytes of %d", len(got), len(data))
		}
		if err != nil {
			return
		}
	}
	if d.below(4) == 0 {
		time.Sleep(time.Minute) // some close late
	}
}
