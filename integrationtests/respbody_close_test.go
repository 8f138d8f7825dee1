package integrationtests

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// stalls answers with a head and the start of a body, then says nothing.
func stalls(status int, length string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		w.WriteHeader(status)
		io.WriteString(w, `{"a": "`)
		flush(w)
		select {
		case <-r.Context().Done():
		case <-time.After(time.Hour):
		}
	}
}

// TestNoCloseDuringARead of a body that is not net/http's own: its Read is ended by
// the attempt's context. Nothing is left when the body is closed, although the caller's
// context goes on.
func TestNoCloseDuringARead(t *testing.T) {
	for name, p := range openers {
		for _, length := range []string{"", "1000"} {
			servertest.EachInMemory(t, stalls(200, length), func(t *testing.T, base *http.Transport) {
				if p.MaxWholeBytes > 0 && length != "" {
					p.PerAttemptTimeout, p.MaxAttempts = time.Minute, 2 // else it is waited for
				}
				rt := &strict{base: base}
				resp := get(t, &insist.RetryTransport{Base: rt, Policy: p})
				closing := time.Now()
				assert.NoError(t, resp.Body.Close(), name)
				rt.check(t, len(rt.bodies))
				assert.Zero(t, time.Since(closing), name)
			})
		}
	}
}

// TestNoCloseDuringADrain: the next attempt does not wait for it.
func TestNoCloseDuringADrain(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy insist.Policy
		length string
	}{
		{"length known, no context of its own", insist.Policy{}, "1000"},
		{"length not known, no context of its own", insist.Policy{}, ""},
		{"after a look", insist.Policy{RetryableBody: insist.JSONFieldNot("/ok", true)}, ""},
		{"after a look, length known", insist.Policy{RetryableBody: insist.JSONFieldNot("/ok", true)}, "1000"},
		{"timed", insist.Policy{PerAttemptTimeout: time.Minute}, ""},
	} {
		servertest.EachInMemory(t, stalls(503, c.length), func(t *testing.T, base *http.Transport) {
			ctx, cancel := context.WithCancel(t.Context())
			c.policy.Backoff, c.policy.MaxAttempts = insist.Constant(0), 3
			rt := &strict{base: base}
			req, err := http.NewRequestWithContext(ctx, "GET", "http://example.com/", nil)
			require.NoError(t, err)
			start := time.Now()
			resp, err := (&insist.RetryTransport{Base: rt, Policy: c.policy}).RoundTrip(req)
			require.NoError(t, err)
			assert.LessOrEqual(t, time.Since(start), 2*(500+50)*time.Millisecond, c.name)
			assert.NoError(t, resp.Body.Close())
			cancel() // where a Read was on the caller's context
			rt.check(t, 3)
		})
	}
}

// TestABodyThatIgnoresItsContext is closed late, and nobody waits for it.
func TestABodyThatIgnoresItsContext(t *testing.T) {
	for name, p := range openers {
		servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
			flush(w)
			time.Sleep(time.Minute)
		}, func(t *testing.T, base *http.Transport) {
			rt := &strict{base: contextless{base}}
			start := time.Now()
			resp := get(t, &insist.RetryTransport{Base: rt, Policy: p})
			assert.NoError(t, resp.Body.Close(), name)
			assert.Equal(t, time.Second, time.Since(start), name)
			assert.Zero(t, rt.bodies[0].closes.Load(), name)
			time.Sleep(time.Minute)
			rt.check(t, 1)
		})
	}
}

// contextless is a base that does not heed its requests' contexts.
type contextless struct{ base http.RoundTripper }

func (c contextless) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.base.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
}

// TestCloseEndsAStalledRead of net/http's own bodies at once, with no context of the
// attempt's own: also where net/http unpacks the body, and waits for gzip's header.
func TestCloseEndsAStalledRead(t *testing.T) {
	for name, p := range openers {
		for _, zipped := range []bool{false, true} {
			servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
				if zipped {
					w.Header().Set("Content-Encoding", "gzip")
				}
				flush(w)
				select {
				case <-r.Context().Done():
				case <-time.After(time.Minute):
				}
			}, func(t *testing.T, base *http.Transport) {
				start := time.Now()
				resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
				assert.NoError(t, resp.Body.Close(), name)
				assert.Equal(t, time.Second, time.Since(start), name)
			})
		}
	}
}
