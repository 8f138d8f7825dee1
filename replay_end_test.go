package insist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// endsOnClose is a source of which a Read waits for Close, and then says that it
// is at its end.
type endsOnClose struct {
	first  io.Reader
	closed chan struct{}
}

func (e *endsOnClose) Read(p []byte) (int, error) {
	if n, _ := e.first.Read(p); n > 0 {
		return n, nil
	}
	<-e.closed
	return 0, io.EOF
}

func (e *endsOnClose) Close() error { close(e.closed); return nil }

// A body beyond MaxReplayBytes is read by the base itself. If the context ends it,
// it is not sent as if it were whole, and the error is the context's.
func TestTheEndOfTheContextIsNotTheBodysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		source := &endsOnClose{strings.NewReader("longer than the limit"), make(chan struct{})}
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			_, err := io.Copy(io.Discard, r.Body)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			return nil, err
		})
		req := request(t, "PUT", "http://x/", source).WithContext(ctx)
		_, err := quickly(b, keepAtMost(5)).RoundTrip(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A Read that is under way when an attempt is given up may bring more than is
// kept. The next attempt has it all the same.
func TestTheLimitIsPassedDuringTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			w.Write([]byte("12345678"))
			time.Sleep(time.Second)
			w.Write([]byte("90 and more"))
			w.Close()
		}()
		n := 0
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			if n++; n > 2 {
				data, err := io.ReadAll(req.Body)
				assert.Equal(t, "1234567890 and more", string(data))
				return answer(200), err
			}
			io.ReadFull(req.Body, make([]byte, 8))
			go req.Body.Read(make([]byte, 1)) // goes on after the answer
			synctest.Wait()
			req.Body.Close()
			return answer(503), nil
		})
		req := request(t, "PUT", "http://x/", r)
		resp, err := (&RetryTransport{Base: b, Policy: Policy{MaxReplayBytes: 10}}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	})
}

// What a base asks for when the call has ended is refused, and waits for nothing.
func TestAGetBodyAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late func() (io.ReadCloser, error)
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			late = r.GetBody
			return nil, errLost
		})
		_, err := quickly(b).RoundTrip(request(t, "PUT", "http://x/", &onlyReader{"hello"}))
		assert.Equal(t, errLost, err)
		if body, err := late(); err == nil {
			_, err = body.Read(make([]byte, 1))
			assert.Error(t, err)
		}
	})
}

// slowClose is a source that takes its time to close.
type slowClose struct {
	io.Reader
	closed atomic.Bool
}

func (s *slowClose) Close() error {
	time.Sleep(time.Minute)
	s.closed.Store(true)
	return nil
}

// A source is closed when its end is told, or RoundTrip might return before. It
// holds nobody up beyond the context.
func TestTheEndIsToldWhenTheSourceIsClosed(t *testing.T) {
	for _, c := range []struct {
		limit, took time.Duration
		closed      bool
	}{{time.Hour, time.Minute, true}, {time.Second, time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			source, start := &slowClose{Reader: strings.NewReader("hello")}, time.Now()
			_, err := quickly(script(status(200))).RoundTrip(request(t, "POST", "http://x/", source).WithContext(ctx))
			assert.Equal(t, c.closed, err == nil, "%v", err)
			assert.Equal(t, c.took, time.Since(start))
			assert.Equal(t, c.closed, source.closed.Load())
			time.Sleep(time.Hour)
		})
	}
}

// onlyOnce gives its end once, as a file that is closed then does.
type onlyOnce struct {
	onlyReader
	ended bool
}

func (o *onlyOnce) Read(p []byte) (int, error) {
	if o.ended {
		return 0, errors.New("read after the end")
	}
	n, err := o.onlyReader.Read(p)
	o.ended = err != nil
	return n, err
}

// A base that reads the whole body may forget to close it.
func TestABodyIsClosedAtItsEnd(t *testing.T) {
	for name, rewinds := range map[string]bool{"recorded": false, "GetBody": true} {
		body := &insisttest.Body{Reader: &onlyOnce{onlyReader{"hello"}, false}}
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			data, err := io.ReadAll(r.Body)
			assert.Equal(t, "hello", string(data))
			_, again := r.Body.Read(make([]byte, 1)) // as net/http does
			assert.Equal(t, io.EOF, again)
			return answer(200), err
		})
		req := request(t, "PUT", "http://x/", body)
		if rewinds {
			req.GetBody = func() (io.ReadCloser, error) { return nil, errLost }
		}
		_, err := quickly(b).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 1, body.Closes(), name)
	}
}

// A base that gave an attempt up may still be about to repeat it. What its GetBody
// is asked for by then takes nothing from the next attempt.
func TestALateGetBodyIsOfItsOwnAttempt(t *testing.T) {
	for name, set := range bodies {
		n := 0
		var late func() (io.ReadCloser, error)
		b := roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n < 3 {
				late = r.GetBody
				return answer(503), nil
			}
			io.ReadFull(r.Body, make([]byte, 2))
			late()
			data, err := io.ReadAll(r.Body)
			assert.Equal(t, "llo", string(data), name)
			return answer(200), err
		})
		req := request(t, "PUT", "http://x/", nil)
		set(req, "hello")
		_, err := quickly(b).RoundTrip(req)
		assert.NoError(t, err, name)
	}
}
