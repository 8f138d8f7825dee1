package between

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-552c89fc/insist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestModes checks that the base sees each request once and whole, in the attempt that
// the mode says, and that nothing of the base's own is retried.
func TestModes(t *testing.T) {
	lost := errors.New("lost")
	for _, m := range Modes {
		for _, given := range []struct {
			name   string
			status int
			err    error
		}{{"200", 200, nil}, {"503", 503, nil}, {"error", 0, lost}} {
			t.Run(m.Name+"/"+given.name, func(t *testing.T) {
				t.Setenv(Variable, m.Name)
				calls, attempt := 0, 0
				rt := FromEnvironment()(roundTripper(func(req *http.Request) (*http.Response, error) {
					calls, attempt = calls+1, insist.AttemptNumber(req.Context())
					body, err := io.ReadAll(req.Body)
					assert.NoError(t, err)
					assert.NoError(t, req.Body.Close())
					assert.Equal(t, "all of the body", string(body))
					if given.err != nil {
						return nil, given.err
					}
					return &http.Response{StatusCode: given.status, Body: io.NopCloser(strings.NewReader("ok")), ContentLength: 2, Request: req}, nil
				}))
				req, err := http.NewRequest("POST", "http://example.com/", io.MultiReader(strings.NewReader("all of the body")))
				require.NoError(t, err)
				resp, err := rt.RoundTrip(req)
				assert.Equal(t, 1, calls)
				assert.Equal(t, m.FailsFirst, attempt == 2)
				if given.err != nil {
					assert.Equal(t, given.err, err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, given.status, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.Equal(t, "ok", string(body))
			})
		}
	}
}

// TestFirstAttempts checks how much of the body the attempts that fail have read.
func TestFirstAttempts(t *testing.T) {
	for _, c := range []struct {
		share share
		want  int
	}{{none, 10}, {half, 5}, {whole, 0}} {
		body := strings.NewReader("0123456789")
		req, err := http.NewRequest("POST", "http://example.com/", body)
		require.NoError(t, err)
		resp, err := (&failingOnce{failure: failure{read: c.share}}).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		assert.Equal(t, c.want, body.Len())
	}
}

// TestRequestIsTheCallers checks that a first attempt that has ended does not look at the
// request: the caller may change it then.
func TestRequestIsTheCallers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://example.com/", strings.NewReader("body"))
		require.NoError(t, err)
		require.NoError(t, readBody(req, whole))
		req.Body = nil
		runtime.Gosched() // to what still reads: it would find no body
	}
}

// TestWithout checks that a feature can be left out, by its name.
func TestWithout(t *testing.T) {
	assert.NotNil(t, everything("").Hedge)
	p := everything("Hedge,MaxWholeBytes")
	assert.Nil(t, p.Hedge)
	assert.Zero(t, p.MaxWholeBytes)
	assert.NotNil(t, p.Cooldown)
}
