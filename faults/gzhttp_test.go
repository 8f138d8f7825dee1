package faults

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/gzhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestADecoderIsNotGivenBackWhileInUse: the body of gzhttp.Transport gives its decoder
// to a pool in Close, also while a Read uses it. Then another request gets wrong data.
// So insist must not close a body while a Read of its own is in flight: after a look, or
// reading the response whole, that ran out of time, and in a drain.
func TestADecoderIsNotGivenBackWhileInUse(t *testing.T) {
	content := make([]byte, 200_000) // random, and so as long when compressed
	rand.NewChaCha8([32]byte{}).Read(content)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(content)
	z.Close()
	look := insist.Policy{RetryableBody: insist.JSONField[any]("/error", nil), MaxPeekBytes: 1 << 20}
	for name, c := range map[string]struct {
		policy   insist.Policy
		statuses []int
	}{
		"look":               {look, []int{200}},
		"whole":              {insist.Policy{MaxWholeBytes: 1 << 20}, []int{200}},
		"drain after a look": {look, []int{503, 204}},
		"drain, timed":       {insist.Policy{PerAttemptTimeout: 1 << 40}, []int{503, 204}},
	} {
		synctest.Test(t, func(t *testing.T) {
			late, rest := make(chan struct{}), make(chan struct{})
			n := 0
			base := roundTripper(func(req *http.Request) (*http.Response, error) {
				status, wait := 200, rest
				if n++; n <= len(c.statuses) {
					status, wait = c.statuses[n-1], late
				}
				resp := &http.Response{StatusCode: status, ProtoMajor: 1, Header: http.Header{}, Body: http.NoBody}
				if status != 204 {
					resp.Header.Set("Content-Encoding", "gzip")
					resp.ContentLength = -1
					half := zipped.Len() / 2
					resp.Body = io.NopCloser(io.MultiReader(
						bytes.NewReader(zipped.Bytes()[:half]), afterward{wait}, bytes.NewReader(zipped.Bytes()[half:])))
				}
				return resp, nil
			})
			get := func(p insist.Policy) *http.Response {
				p.Backoff = insist.Constant(0)
				req, err := http.NewRequestWithContext(t.Context(), "GET", "http://example.com/", nil)
				require.NoError(t, err)
				resp, err := (&insist.RetryTransport{Base: gzhttp.Transport(base), Policy: p}).RoundTrip(req)
				require.NoError(t, err)
				return resp
			}
			get(c.policy).Body.Close() // stalls in the middle, and the Read goes on
			other := get(insist.Policy{})
			got := make([]byte, 1000)
			_, err := io.ReadFull(other.Body, got)
			require.NoError(t, err, name)
			close(late)
			synctest.Wait()
			close(rest)
			more, err := io.ReadAll(other.Body)
			assert.NoError(t, err, name)
			assert.True(t, bytes.Equal(content, append(got, more...)), "%s: wrong data", name)
			other.Body.Close()
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// afterward is an empty reader that ends when its channel is closed. It knows of no
// context.
type afterward struct{ c <-chan struct{} }

func (a afterward) Read([]byte) (int, error) {
	<-a.c
	return 0, io.EOF
}
