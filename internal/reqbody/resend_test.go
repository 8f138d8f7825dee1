package reqbody

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAForgottenCopy: net/http's HTTP/2 calls GetBody to resend a request, finds no
// connection, and neither reads nor closes what it got; http.Transport then calls GetBody
// again. The response may come before that body is read. The caller's body is closed with
// the last copy.
func TestAForgottenCopy(t *testing.T) {
	for _, keepFirst := range []bool{false, true} {
		for _, reads := range []int{0, 1, 1000} {
			eachKind(t, pattern(10), func(t *testing.T, c *call) {
				out := c.attempt(t)
				if !c.IsStream() {
					return
				}
				out.Body.Close()
				_, err := out.GetBody()
				require.NoError(t, err)
				last, err := out.GetBody()
				require.NoError(t, err)
				var end func()
				if keepFirst {
					end = c.Keep()
				}
				_, err = io.CopyN(io.Discard, last, int64(reads))
				assert.Equal(t, reads > 10, err == io.EOF)
				last.Close()
				if !keepFirst {
					end = c.Keep()
				}
				if end != nil {
					end()
				}
				assert.Equal(t, c.given.Load(), c.closed.Load())
			})
		}
	}
}

// TestARevokedAttemptStaysRevoked: a base that goes on with an attempt that was given up
// gets no body for it, also while the call waits for the next attempt.
func TestARevokedAttemptStaysRevoked(t *testing.T) {
	eachKind(t, pattern(10), func(t *testing.T, c *call) {
		out := c.attempt(t)
		if !c.IsStream() {
			return
		}
		c.Revoke()
		_, err := out.GetBody()
		assert.ErrorIs(t, err, errRevoked)
		n, err := out.Body.Read(make([]byte, 10))
		assert.Zero(t, n)
		assert.ErrorIs(t, err, errRevoked)
		next := c.attempt(t)
		data, err := io.ReadAll(next.Body)
		assert.NoError(t, err)
		assert.Equal(t, pattern(10), data)
		_, err = out.GetBody()
		assert.ErrorIs(t, err, errRevoked)
		c.End()
		assert.Equal(t, c.given.Load(), c.closed.Load())
	})
}

// slowSeeker is a body whose Read takes longer than the next attempt waits for it.
type slowSeeker struct {
	*strings.Reader
	closed bool
	t      *testing.T
}

func (s *slowSeeker) Read(p []byte) (int, error) {
	assert.False(s.t, s.closed, "it is read after its Close")
	time.Sleep(2 * readGrace)
	return s.Reader.Read(p)
}

func (s *slowSeeker) Seek(offset int64, whence int) (int64, error) {
	return s.Reader.Seek(offset, whence)
}

func (s *slowSeeker) Close() error { s.closed = true; return nil }

// TestAClosedSeekerIsNotRewound: when a Read didn't return in time, the caller's reader was
// closed, and no attempt can read it again.
func TestAClosedSeekerIsNotRewound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req := request(t, "PUT", "http://x/", nil)
		req.Body = &slowSeeker{strings.NewReader("hello"), false, t}
		c := &call{req: req}
		c.Take(req, 10)
		out := c.attempt(t)
		go out.Body.Read(make([]byte, 1))
		synctest.Wait()
		c.Revoke()
		time.Sleep(2 * readGrace)
		assert.ErrorIs(t, c.Fill(c.lease()), ErrInFlight)
		c.End()
	})
}
