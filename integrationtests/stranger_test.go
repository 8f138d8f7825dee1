package integrationtests

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// valueBody is a body that can't be compared: == panics.
type valueBody struct {
	io.Reader
	buf []byte
}

func (valueBody) Close() error { return nil }

// clones is a base that does with a copy of the request what it is to do, and says so
// in the response.
var clones = roundTripper(func(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	_, err := io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, err
})

func TestABodyThatCannotBeCompared(t *testing.T) {
	outer := func(p insist.Policy) http.RoundTripper { return &insist.RetryTransport{Base: clones, Policy: p} }
	for name, rt := range map[string]http.RoundTripper{
		"the zero policy": outer(insist.Policy{}),
		"one attempt":     outer(insist.Policy{MaxAttempts: 1, BodyIdleTimeout: time.Second}),
		"with a key":      outer(insist.Policy{MaxAttempts: 1, IdempotencyKey: func(*http.Request) string { return "k" }}),
		"nested":          quickly(outer(insist.Policy{}), func(p *insist.Policy) { p.MaxAttempts = 1; p.BodyIdleTimeout = time.Second }),
	} {
		t.Run(name, func(t *testing.T) {
			req := request(t, "PUT", "http://api.test/", nil)
			req.Body = valueBody{Reader: strings.NewReader("data")}
			resp, err := rt.RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
		})
	}
}

// The Read that meets the end of the body sets the trailers' values, on a goroutine of
// net/http's, where a panic would end the process.
func TestABaseThatTakesTheTrailersAway(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		rt := quickly(roundTripper(func(r *http.Request) (*http.Response, error) {
			r.Trailer = nil
			return s.Base.RoundTrip(r)
		}))
		req := request(t, "PUT", s.URL, servertest.OnlyReader("data"))
		req.Trailer = http.Header{"X-Sum": {"1"}}
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, "data", text(t, resp))
		resp.Body.Close()
	})
}

// Fakes in tests often have one response without a body for all requests.
func TestOneResponseForManyRequests(t *testing.T) {
	for name, edit := range map[string]func(*insist.Policy){
		"the zero policy":   func(*insist.Policy) {},
		"PerAttemptTimeout": func(p *insist.Policy) { p.PerAttemptTimeout = time.Hour },
		"BodyIdleTimeout":   func(p *insist.Policy) { p.BodyIdleTimeout = time.Hour },
		"RetryableBody":     func(p *insist.Policy) { p.RetryableBody = insist.JSONFieldNot("/ret_code", 0) },
		"MaxWholeBytes":     func(p *insist.Policy) { p.MaxWholeBytes = 1 << 10 },
		"ResumeDownloads":   func(p *insist.Policy) { p.ResumeDownloads = true },
	} {
		t.Run(name, func(t *testing.T) {
			shared := &http.Response{StatusCode: 200, Body: http.NoBody}
			rt := quickly(roundTripper(func(*http.Request) (*http.Response, error) { return shared, nil }), edit)
			var calls sync.WaitGroup
			for _, method := range []string{"GET", "POST", "GET", "POST"} {
				req := request(t, method, "http://api.test/", nil)
				calls.Go(func() {
					resp, err := rt.RoundTrip(req)
					assert.NoError(t, err)
					assert.Equal(t, http.NoBody, resp.Body)
				})
			}
			calls.Wait()
		})
	}
}
