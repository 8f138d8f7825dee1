package reqbody

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func copyOf(t testing.TB, req *http.Request) io.ReadCloser {
	body, err := req.GetBody()
	require.NoError(t, err)
	return body
}

func readsAll(t testing.TB, body io.ReadCloser, want []byte) {
	t.Helper()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, data), "%d bytes of %d", len(data), len(want))
	require.NoError(t, body.Close())
}

// A signer reads a copy, and then sends Body.
func TestACopyLeavesBodyAlone(t *testing.T) {
	data := pattern(70_000)
	for _, order := range []struct {
		name string
		read func(t *testing.T, req *http.Request)
	}{
		{"no copy", func(*testing.T, *http.Request) {}},
		{"read whole", func(t *testing.T, req *http.Request) { readsAll(t, copyOf(t, req), data) }},
		{"read whole and not closed", func(t *testing.T, req *http.Request) {
			got, err := io.ReadAll(copyOf(t, req))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(data, got))
		}},
		{"read in part", func(t *testing.T, req *http.Request) {
			body := copyOf(t, req)
			_, err := io.CopyN(io.Discard, body, 40_000)
			require.NoError(t, err)
			body.Close()
		}},
		{"read in part and not closed", func(t *testing.T, req *http.Request) {
			_, err := io.CopyN(io.Discard, copyOf(t, req), 40_000)
			require.NoError(t, err)
		}},
		{"not read", func(t *testing.T, req *http.Request) { copyOf(t, req).Close() }},
		{"not read and not closed", func(t *testing.T, req *http.Request) { copyOf(t, req) }},
		{"many", func(t *testing.T, req *http.Request) {
			for range 20 {
				readsAll(t, copyOf(t, req), data)
			}
		}},
		{"in the middle of Body", func(t *testing.T, req *http.Request) {
			var start bytes.Buffer
			_, err := io.CopyN(&start, req.Body, 50)
			require.NoError(t, err)
			readsAll(t, copyOf(t, req), data)
			req.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(&start, req.Body), req.Body}
		}},
		{"closed in the middle of Body", func(t *testing.T, req *http.Request) {
			var start bytes.Buffer
			body := copyOf(t, req)
			_, err := io.CopyN(&start, req.Body, 50)
			require.NoError(t, err)
			body.Close()
			req.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(&start, req.Body), req.Body}
		}},
		{"sent in place of Body", func(t *testing.T, req *http.Request) { req.Body = copyOf(t, req) }},
		{"sent after Body", func(t *testing.T, req *http.Request) {
			readsAll(t, req.Body, data)
			req.Body = copyOf(t, req)
		}},
	} {
		t.Run(order.name, func(t *testing.T) {
			eachKind(t, data, func(t *testing.T, c *call) {
				for range 3 {
					req := c.attempt(t)
					order.read(t, req)
					readsAll(t, req.Body, data)
					c.Revoke()
				}
				req := c.attempt(t)
				order.read(t, req)
				n, err := req.Body.Read(make([]byte, 1))
				require.NoError(t, err)
				c.Keep()
				readsAll(t, req.Body, data[n:])
				assert.Equal(t, c.given.Load(), c.closed.Load(), "readers closed, of those given")
				c.End()
			})
		})
	}
}

// A response may come after a signer has read a copy, and before Body is read. Or the copy
// was sent, and Body forgotten. Both end well: the caller's body is closed when Body has
// been read or, if it is not, when the response has been.
func TestBodyAfterACopyWhenTheCallEnds(t *testing.T) {
	data := pattern(1000)
	for name, forgotten := range map[string]bool{"sent": false, "forgotten": true} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, data, func(t *testing.T, c *call) {
				req := c.attempt(t)
				readsAll(t, copyOf(t, req), data)
				end := c.Keep()
				if c.given.Load() > 0 {
					assert.Equal(t, c.given.Load() != c.closed.Load(), end != nil)
				}
				if !forgotten {
					readsAll(t, req.Body, data)
				} else if end != nil {
					response := &http.Response{Body: hidden("response")}
					EndWith(response, end)
					io.ReadAll(response.Body)
				}
				assert.Equal(t, c.given.Load(), c.closed.Load())
			})
		})
	}
}

// A copy that was read in part leaves the caller's reader open.
func TestAForgottenBodyIsClosedWithTheResponse(t *testing.T) {
	for name, finish := range map[string]func(resp *http.Response){
		"read":    func(resp *http.Response) { io.ReadAll(resp.Body) },
		"closed":  func(resp *http.Response) { resp.Body.Close() },
		"no body": func(resp *http.Response) {},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, pattern(1000), func(t *testing.T, c *call) {
				req := c.attempt(t)
				body := copyOf(t, req)
				io.ReadFull(body, make([]byte, 10))
				body.Close()
				end := c.Keep()
				if end == nil {
					assert.Equal(t, c.given.Load(), c.closed.Load())
					return
				}
				assert.Equal(t, c.given.Load() > 0, c.given.Load() != c.closed.Load())
				resp := &http.Response{Body: hidden("response")}
				if name == "no body" {
					resp.Body = http.NoBody
				}
				EndWith(resp, end)
				finish(resp)
				assert.Equal(t, c.given.Load(), c.closed.Load())
			})
		})
	}
}

// Readers that are read in turns, as a test or a mirror may, all read the same.
func TestCopiesInTurns(t *testing.T) {
	data := pattern(20_000)
	eachKind(t, data, func(t *testing.T, c *call) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			req := c.attempt(t)
			open := []io.Reader{req.Body}
			got := make([][]byte, 1, 4)
			for len(open) > 0 {
				if len(got) < cap(got) && random.IntN(5) == 0 {
					open, got = append(open, copyOf(t, req)), append(got, nil)
				}
				i := random.IntN(len(got))
				if i >= len(open) || open[i] == nil {
					if allNil(open) {
						break
					}
					continue
				}
				p := make([]byte, random.IntN(5000))
				n, err := open[i].Read(p)
				got[i] = append(got[i], p[:n]...)
				if err == io.EOF {
					open[i], err = nil, nil
				}
				require.NoError(t, err)
			}
			for i := range got {
				require.True(t, bytes.Equal(data, got[i]), "reader %d: %d bytes", i, len(got[i]))
			}
			c.Revoke()
		}
		c.End()
		assert.Equal(t, c.given.Load(), c.closed.Load())
	})
}

func allNil(rs []io.Reader) bool {
	for _, r := range rs {
		if r != nil {
			return false
		}
	}
	return true
}

// A mirror sends a copy and Body at the same time.
func TestCopiesAtTheSameTime(t *testing.T) {
	data := pattern(200_000)
	eachKind(t, data, func(t *testing.T, c *call) {
		for range 5 {
			req := c.attempt(t)
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					body := req.Body
					if i > 0 {
						var err error
						body, err = req.GetBody()
						if !assert.NoError(t, err) {
							return
						}
					}
					got, err := io.ReadAll(body)
					assert.NoError(t, err)
					assert.True(t, bytes.Equal(data, got), "%d bytes", len(got))
					body.Close()
				})
			}
			all.Wait()
			c.Revoke()
		}
		c.End()
		assert.Equal(t, c.given.Load(), c.closed.Load())
	})
}

// A mirror's readers don't take the caller's reader from each other again and again, and a
// reader that nobody reads on from holds nobody up for long.
func TestAMirrorOfALongBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := pattern(4 << 20)
		calls := 0
		req := request(t, "PUT", "http://x/", hidden(""))
		req.GetBody = func() (io.ReadCloser, error) { calls++; return io.NopCloser(bytes.NewReader(data)), nil }
		req.Body = struct{ io.ReadCloser }{io.NopCloser(bytes.NewReader(data))}
		c := &call{req: req}
		c.Take(req, 0)
		out := c.attempt(t)
		start := time.Now()
		var all sync.WaitGroup
		for _, body := range []io.ReadCloser{out.Body, copyOf(t, out)} {
			all.Go(func() {
				var got bytes.Buffer
				for err := error(nil); err == nil; {
					_, err = io.CopyN(&got, body, 32<<10)
					time.Sleep(time.Millisecond)
				}
				assert.True(t, bytes.Equal(data, got.Bytes()), "%d bytes", got.Len())
			})
		}
		all.Wait()
		assert.Less(t, calls, 2*cheapToSkip/(32<<10)+10)
		assert.Less(t, time.Since(start), time.Second)

		one, other := copyOf(t, out), copyOf(t, out)
		start = time.Now()
		io.CopyN(io.Discard, one, 2<<20)
		io.CopyN(io.Discard, other, 2<<20)
		readsAll(t, one, data[2<<20:])
		readsAll(t, other, data[2<<20:])
		assert.Equal(t, turn, time.Since(start))
		c.End()
	})
}

// The next attempt revokes them all.
func TestCopiesAreRevoked(t *testing.T) {
	data := pattern(1000)
	eachKind(t, data, func(t *testing.T, c *call) {
		if !c.IsStream() {
			return // each has a reader of its own
		}
		req := c.attempt(t)
		readers := []io.Reader{req.Body, copyOf(t, req), copyOf(t, req)}
		io.ReadFull(readers[1], make([]byte, 10))
		io.ReadFull(readers[0], make([]byte, 20))
		c.Revoke()
		next := c.attempt(t)
		for _, r := range readers {
			_, err := r.Read(make([]byte, 1))
			assert.ErrorIs(t, err, errRevoked)
		}
		late, err := req.GetBody()
		assert.ErrorIs(t, err, errRevoked)
		assert.Nil(t, late)
		readsAll(t, next.Body, data)
		c.End()
		assert.Equal(t, c.given.Load(), c.closed.Load())
		_, err = next.GetBody()
		assert.ErrorIs(t, err, errRevoked)
	})
}

// net/http closes Body before it asks for it again. That is bounded, and tightly.
func TestReplaysAreBounded(t *testing.T) {
	eachKind(t, pattern(1000), func(t *testing.T, c *call) {
		c.attempt(t)
		req := c.attempt(t)
		for range 50 {
			copyOf(t, req).Close()
		}
		req.Body.Close()
		n := 0
		for ; n < 1000; n++ {
			body, err := req.GetBody()
			if err != nil {
				assert.Equal(t, errTooOften, err)
				break
			}
			io.ReadFull(body, make([]byte, 100))
			body.Close()
		}
		assert.Equal(t, 7, n)
		c.End()
	})
}

// So are copies of a base that forgets to close Body.
func TestCopiesAreBounded(t *testing.T) {
	eachKind(t, pattern(10), func(t *testing.T, c *call) {
		c.attempt(t)
		req := c.attempt(t)
		for range askedAtMost {
			copyOf(t, req).Close()
		}
		_, err := req.GetBody()
		assert.Equal(t, errTooOften, err)
		c.End()
	})
}

// What is longer than the limit can be read by one reader only. Those that nobody reads
// don't count.
func TestACopyOfWhatIsTooLongToKeep(t *testing.T) {
	data := pattern(1000)
	start := func(t *testing.T) (*call, *http.Request) {
		c := &call{closes: new(closes), req: request(t, "PUT", "http://x/", nil)}
		c.req.Body = c.plain(bytes.NewReader(data))
		c.Take(c.req, 100)
		return c, c.attempt(t)
	}
	ends := func(t *testing.T, c *call) {
		assert.False(t, c.Whole())
		c.Keep()
		c.End()
		assert.EqualValues(t, 1, c.closed.Load())
	}

	t.Run("copy first", func(t *testing.T) {
		c, req := start(t)
		readsAll(t, copyOf(t, req), data)
		_, err := req.Body.Read(make([]byte, 10))
		assert.ErrorIs(t, err, errNotBuffered)
		_, err = req.GetBody()
		assert.ErrorIs(t, err, errNotBuffered)
		ends(t, c)
	})
	t.Run("copy while Body is read", func(t *testing.T) {
		c, req := start(t)
		body := copyOf(t, req)
		var start bytes.Buffer
		io.CopyN(&start, req.Body, 10)
		got, err := io.ReadAll(body)
		assert.ErrorIs(t, err, errNotBuffered)
		assert.True(t, bytes.HasPrefix(data, got))
		rest, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		assert.Equal(t, data, append(start.Bytes(), rest...))
		_, err = body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, errNotBuffered)
		ends(t, c)
	})
	t.Run("the rest of one copy", func(t *testing.T) {
		c, req := start(t)
		one, other := copyOf(t, req), copyOf(t, req)
		io.ReadFull(one, make([]byte, 10))
		io.ReadFull(other, make([]byte, 10))
		one.Close()
		got, err := io.ReadAll(other)
		assert.NoError(t, err)
		assert.Equal(t, data[10:], got)
		ends(t, c)
	})
}

// A body that is closed may say that it ends. A copy that is read after that does not.
func TestACopyAfterTheSourceIsClosed(t *testing.T) {
	c := &call{req: request(t, "PUT", "http://x/", &endless{left: 1000})}
	c.Take(c.req, 100)
	req := c.attempt(t)
	body := copyOf(t, req)
	io.ReadFull(req.Body, make([]byte, 50))
	req.Body.Close() // nobody else could read it on
	got, err := io.ReadAll(body)
	assert.Error(t, err)
	assert.Less(t, len(got), 1000)
	c.End()

	c = &call{req: request(t, "PUT", "http://x/", &endless{left: 1000})}
	c.Take(c.req, 2000)
	req = c.attempt(t)
	body = copyOf(t, req)
	io.ReadFull(req.Body, make([]byte, 200))
	req.Body.Close()
	c.Keep()
	_, err = io.ReadAll(body)
	assert.Error(t, err)
	c.End()
}

// net/http closes Body and sends a copy in its place when a connection turns out to be
// dead. The response may come before the copy is read.
func TestAReplayWhenTheCallEnds(t *testing.T) {
	data := pattern(70_000)
	for _, n := range []int64{0, 10} {
		eachKind(t, data, func(t *testing.T, c *call) {
			req := c.attempt(t)
			_, err := io.CopyN(io.Discard, req.Body, n)
			require.NoError(t, err)
			req.Body.Close()
			replay := copyOf(t, req)
			c.Keep()
			readsAll(t, replay, data)
			assert.Equal(t, c.given.Load(), c.closed.Load())
		})
	}
}
