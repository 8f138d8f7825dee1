package integrationtests

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// countAsked returns a condition that fails empty bodies, and how often it was asked.
func countAsked(t *testing.T) (insist.BodyCondition, *int) {
	asked := new(int)
	return func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d insist.Decision) {
		*asked++
		data, err := io.ReadAll(body)
		assert.NoError(t, err)
		if len(data) == 0 {
			d.Verdict = insist.Retry
		}
		return d
	}, asked
}

// TestAConditionIsAskedAboutAnEmptyBody, however that is framed.
func TestAConditionIsAskedAboutAnEmptyBody(t *testing.T) {
	for name, write := range map[string]http.HandlerFunc{
		"Content-Length: 0": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "0") },
		"chunked":           func(w http.ResponseWriter, r *http.Request) { flush(w) },
		"zipped": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "GZIP")
			flush(w)
		},
	} {
		servertest.EachInMemory(t, write, func(t *testing.T, base *http.Transport) {
			base.DisableCompression = true
			condition, asked := countAsked(t)
			p := insist.Policy{RetryableBody: condition}
			resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
			data, err := io.ReadAll(resp.Body)
			assert.NoError(t, err, name)
			assert.Empty(t, data, name)
			assert.Equal(t, 3, *asked, name)
			resp.Body.Close()
		})
	}
}

// TestHandMadeEmptyResponses is a line per response that a fake may return.
func TestHandMadeEmptyResponses(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		status int
		body   io.ReadCloser
		want   int
	}{
		{"nil", "GET", 200, nil, 3},
		{"NoBody", "GET", 200, http.NoBody, 3},
		{"a reader", "GET", 200, &insisttest.Body{}, 3},
		{"POST", "POST", 200, nil, 3},
		{"HEAD", "HEAD", 200, nil, 0},
		{"CONNECT", "CONNECT", 200, nil, 0},
		{"204", "GET", 204, nil, 0},
		{"304", "GET", 304, http.NoBody, 0},
		{"101", "GET", 101, nil, 0},
		{"103", "GET", 103, http.NoBody, 0},
	} {
		condition, asked := countAsked(t)
		base := insisttest.NewScript(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: c.body}, nil
		})
		p := insist.Policy{RetryableBody: condition, Backoff: insist.Constant(0)}
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://x/", nil)
		require.NoError(t, err, c.name)
		resp, err := (&insist.RetryTransport{Base: base, Policy: p}).RoundTrip(req)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.status, resp.StatusCode, c.name)
		assert.Equal(t, c.want, *asked, c.name)
	}
}
