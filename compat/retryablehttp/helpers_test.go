package retryablehttp

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
)

// base is a RoundTripper that plays steps and keeps what it was sent.
type base struct {
	steps []step

	mu   sync.Mutex
	sent []sent
}

type step func(*http.Request) (*http.Response, error)

type sent struct {
	method string
	header http.Header
	length int64
	body   string
	none   bool          // the body is http.NoBody, whose length is known
	at     time.Duration // since the bubble's begin
}

func (b *base) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	arrived := sent{method: req.Method, header: req.Header.Clone(), length: req.ContentLength,
		at: time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))}
	arrived.none = req.Body == http.NoBody
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		req.Body.Close()
		if arrived.body = string(data); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	n := len(b.sent)
	b.sent = append(b.sent, arrived)
	b.mu.Unlock()
	resp, err := b.steps[min(n, len(b.steps)-1)](req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (b *base) bodies() (all []string) {
	for _, s := range b.sent {
		all = append(all, s.body)
	}
	return all
}

func (b *base) waits() (all []time.Duration) {
	for i := range b.sent[1:] {
		all = append(all, b.sent[i+1].at-b.sent[i].at)
	}
	return all
}

func status(code int, header ...string) step {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Status: statusLine(code), Header: h,
			Body: io.NopCloser(strings.NewReader("text")), ContentLength: 4}, nil
	}
}

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// play returns a client whose attempts meet these steps, without logs.
func play(steps ...step) (*Client, *base) {
	b := &base{steps: steps}
	c := NewClient()
	c.HTTPClient, c.Logger = &http.Client{Transport: b}, nil
	return c, b
}

// edit sets EditPolicy for one test.
func edit(t *testing.T, f func(p *insist.Policy)) {
	EditPolicy = func(_ *http.Request, p *insist.Policy) { f(p) }
	t.Cleanup(func() { EditPolicy = nil })
}

// bubble runs f in virtual time; a goroutine that it leaves fails t.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
