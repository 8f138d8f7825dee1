package integrationtests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist"
)

// dice is a source of chances that many goroutines may share.
type dice struct {
	mu sync.Mutex
	*rand.Rand
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.IntN(n)
}

func (d *dice) time(most time.Duration) time.Duration {
	return time.Duration(d.below(int(most/time.Millisecond))) * time.Millisecond
}

// moody is a body that gives what it has in any way that is allowed, and answers to
// its Close with EOF.
type moody struct {
	*dice
	data   bytes.Reader
	slow   bool
	closed chan struct{}
	once   sync.Once
}

func (m *moody) Read(p []byte) (int, error) {
	if m.slow {
		select {
		case <-m.closed:
		case <-time.After(m.time(time.Second)):
		}
	}
	select {
	case <-m.closed:
		return 0, io.EOF
	default:
		return m.data.Read(p[:min(len(p), m.below(3000))])
	}
}

func (m *moody) Close() error { m.once.Do(func() { close(m.closed) }); return nil }

// TestRandomUploads: whatever a base does with its attempts' bodies, what it takes
// for a whole body is one, and the call ends.
func TestRandomUploads(t *testing.T) {
	seed := rand.Uint64()
	for i := range uint64(500) {
		synctest.Test(t, func(t *testing.T) { randomUpload(t, &dice{Rand: rand.New(rand.NewPCG(seed, i))}) })
		if t.Failed() {
			t.Fatalf("seed %d, %d", seed, i)
		}
	}
}

func randomUpload(t *testing.T, d *dice) {
	ctx, cancel := context.WithTimeout(t.Context(), d.time(20*time.Second))
	defer cancel()
	data, slow := make([]byte, 1+d.below(30_000)), d.below(3) == 0
	for i := range data {
		data[i] = byte(i>>8) ^ byte(i*7)
	}
	body := func() (io.ReadCloser, error) {
		m := &moody{dice: d, slow: slow, closed: make(chan struct{})}
		m.data.Reset(data)
		return m, nil
	}
	req, _ := http.NewRequestWithContext(ctx, "PUT", "http://x/", nil)
	req.Body, _ = body()
	if d.below(2) == 0 {
		req.GetBody = body
	}
	rt := &insist.RetryTransport{Base: moodyBase{t, d, data}, Policy: insist.Policy{
		MaxAttempts: 2 + d.below(4), MaxReplayBytes: int64(1 + d.below(40_000)), PerAttemptTimeout: d.time(5 * time.Second),
	}}
	resp, err := rt.RoundTrip(req)
	assert.NotEqual(t, resp == nil, err == nil)
	req.Body.Close() // an upload may go on after the response
	time.Sleep(time.Minute)
}

type moodyBase struct {
	*testing.T
	*dice
	data []byte
}

func (b moodyBase) RoundTrip(r *http.Request) (*http.Response, error) {
	switch b.below(6) {
	case 0: // answers early, and goes on reading
		go io.Copy(io.Discard, r.Body)
		time.Sleep(b.time(time.Second))
		return &http.Response{StatusCode: 503, ProtoMajor: 2, Body: http.NoBody}, nil
	case 1: // closes while it reads
		time.AfterFunc(b.time(4*time.Second), func() { r.Body.Close() })
	case 2: // reads a part, and sends it again
		io.CopyN(io.Discard, r.Body, int64(b.below(20_000)))
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		return b.read(body)
	case 3: // gives up, and sends it again
		time.AfterFunc(b.time(4*time.Second), func() {
			if body, err := r.GetBody(); err == nil {
				b.read(body)
			}
		})
		return nil, errors.New("gave up")
	}
	return b.read(r.Body)
}

func (b moodyBase) read(body io.ReadCloser) (*http.Response, error) {
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	assert.True(b.T, bytes.Equal(b.data, data), "%d of %d bytes, as if they were all", len(data), len(b.data))
	return &http.Response{StatusCode: 200 + 300*b.below(2), ProtoMajor: 1, Body: http.NoBody}, nil
}
