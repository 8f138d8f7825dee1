package insist

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// base is a scripted RoundTripper: the nth call plays the nth step, and the last
// step goes on for ever. Like a good base it reads and closes the request body.
type base struct {
	steps []step

	mu     sync.Mutex
	hits   []hit
	bodies []*countedBody // of the responses
}

type step func(*http.Request) (*http.Response, error)

// hit is what a call of the base got.
type hit struct {
	at     time.Time
	method string
	url    string
	header http.Header
	body   string
	number int
}

func script(steps ...step) *base { return &base{steps: steps} }

func (b *base) RoundTrip(req *http.Request) (*http.Response, error) {
	h := hit{
		at: time.Now(), method: req.Method, url: req.URL.String(),
		header: req.Header.Clone(), number: AttemptNumber(req.Context()),
	}
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		h.body = string(data)
	}
	b.mu.Lock()
	b.hits = append(b.hits, h)
	play := b.steps[min(len(b.hits), len(b.steps))-1]
	b.mu.Unlock()
	resp, err := play(req)
	if resp != nil {
		resp.Request = req
		if body, ok := resp.Body.(*countedBody); ok {
			b.mu.Lock()
			b.bodies = append(b.bodies, body)
			b.mu.Unlock()
		}
	}
	return resp, err
}

// waits are the times between the hits.
func (b *base) waits() (all []time.Duration) {
	for i := 1; i < len(b.hits); i++ {
		all = append(all, b.hits[i].at.Sub(b.hits[i-1].at))
	}
	return all
}

// status answers with a code and headers, and a short body.
func status(code int, headers ...string) step {
	return func(*http.Request) (*http.Response, error) {
		r := answer(code, headers...)
		r.ProtoMajor, r.ContentLength = 1, -1
		r.Body = &countedBody{Reader: strings.NewReader(http.StatusText(code))}
		return r, nil
	}
}

// fails returns err.
func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// countedBody counts how often it is closed.
type countedBody struct {
	io.Reader
	mu     sync.Mutex
	closes int
}

func (b *countedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closes++
	return nil
}

func (b *countedBody) closed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closes
}

var (
	errLost       = errors.New("the answer was lost")
	isUnsentError = &net.OpError{Op: "dial", Err: errLost}
)

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}

func text(t testing.TB, resp *http.Response) string {
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}
