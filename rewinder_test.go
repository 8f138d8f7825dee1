package insist

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ended is a source that ends, without an error, once it has been closed.
type ended struct {
	left   int
	closed atomic.Bool
}

func (e *ended) Read(p []byte) (int, error) {
	if e.closed.Load() || e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	return n, nil
}

func (e *ended) Close() error { e.closed.Store(true); return nil }

// TestALateCloseIsOfItsOwnAttempt: net/http closes an attempt's body when it
// likes, also while the next one is opened. That one's source is not to be closed.
func TestALateCloseIsOfItsOwnAttempt(t *testing.T) {
	req := request(t, "PUT", "http://x/", nil)
	req.GetBody = func() (io.ReadCloser, error) { return &ended{left: 10}, nil }
	for range 20_000 {
		req.Body, _ = req.GetBody()
		r := newRewinder(req)
		first, err := r.open(http.Header{})
		require.NoError(t, err)
		var closing sync.WaitGroup
		closing.Go(func() { first.Close() })
		next, err := r.open(http.Header{})
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
