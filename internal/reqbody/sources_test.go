package reqbody

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errLost = errors.New("the response was lost")

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}

// endless is a source that ends, without an error, once it has been closed.
type endless struct {
	left   int
	closed atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.closed.Load() || e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return n, nil
}

func (e *endless) Close() error { e.closed.Store(true); return nil }

// TestALateCloseIsOfItsOwnAttempt: net/http closes an attempt's body when it
// likes, also while the next one is opened. That one's source is not to be closed.
func TestALateCloseIsOfItsOwnAttempt(t *testing.T) {
	req := request(t, "PUT", "http://x/", nil)
	req.GetBody = func() (io.ReadCloser, error) { return &endless{left: 10}, nil }
	for range 20_000 {
		req.Body, _ = req.GetBody()
		r := newGetBodySource(req)
		first, err := r.open(new(Lease), false)
		require.NoError(t, err)
		var closing sync.WaitGroup
		closing.Go(func() { first.Close() })
		r.revoke(nil, errRevoked, readGrace)
		next, err := r.open(new(Lease), false)
		require.NoError(t, err)
		closing.Wait()
		data, err := io.ReadAll(next)
		require.NoError(t, err)
		if !assert.Len(t, data, 10) {
			return
		}
		next.Close()
	}
}

// What ends an attempt may come when the next one is in flight, whose reader goes
// on.
func TestALateEndIsOfItsOwnAttempt(t *testing.T) {
	put := func() *http.Request {
		return request(t, "PUT", "http://x/", io.MultiReader(strings.NewReader("hello")))
	}
	rewinds := put()
	rewinds.GetBody = func() (io.ReadCloser, error) { return put().Body, nil }
	for _, s := range []stream{newGetBodySource(rewinds), newBufferedSource(put(), 10)} {
		first, second := new(Lease), new(Lease)
		_, err := s.open(first, false)
		require.NoError(t, err)
		s.revoke(nil, errRevoked, readGrace)
		body, err := s.open(second, false)
		require.NoError(t, err)
		s.revoke(first, errLost, readGrace)
		data, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, "hello", string(data))
		s.revoke(second, errLost, readGrace)
		_, err = body.Read(make([]byte, 1))
		assert.Equal(t, errLost, err)
		s.end()
	}
}

// slowCloser takes a second to close, by which it would end the body that GetBody
// rewinds at the same time.
type slowCloser struct {
	io.Reader
	closed bool
}

func (c *slowCloser) Close() error {
	time.Sleep(time.Second)
	c.closed = true
	return nil
}

func TestGetBodyIsNotCalledDuringAClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &slowCloser{Reader: strings.NewReader("hello")}
		req := request(t, "PUT", "http://x/", nil)
		req.Body = body
		req.GetBody = func() (io.ReadCloser, error) {
			assert.True(t, body.closed)
			return body, nil
		}
		r := newGetBodySource(req)
		first, err := r.open(new(Lease), false)
		require.NoError(t, err)
		go first.Close()
		synctest.Wait()
		r.revoke(nil, errRevoked, readGrace)
		_, err = r.open(new(Lease), false)
		require.NoError(t, err)
		r.end()
	})
}

// The context may end while the base is having the body opened again. The reader
// is dead then: what its source answers to Close is not the body's end.
func TestABodyOpenedWhileTheCallEnds(t *testing.T) {
	req := request(t, "PUT", "http://x/", &endless{left: 10})
	req.GetBody = func() (io.ReadCloser, error) { return &endless{left: 10}, nil }
	rewinds, records := newGetBodySource(req), newBufferedSource(req, 10)
	for _, s := range []stream{rewinds, records} {
		s.revoke(nil, errLost, readGrace)
		body, err := s.open(new(Lease), false) // was in flight
		require.NoError(t, err)
		s.end()
		_, err = body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, errRevoked)
		_, err = s.open(new(Lease), false)
		assert.ErrorIs(t, err, errRevoked)
	}
}
