package insist

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// empty gives nothing, and no error, for a long time.
type empty struct{ reads int }

func (e *empty) Read([]byte) (int, error) {
	if e.reads++; e.reads > 10_000 {
		return 0, io.EOF
	}
	return 0, nil
}

func TestABodyOfEmptyReadsIsHandedOver(t *testing.T) {
	for name, p := range map[string]Policy{
		"condition": {RetryableBody: JSONFieldNot("/ok", true)},
		"whole":     {MaxWholeBytes: 100},
		"both":      {MaxWholeBytes: 100, RetryableBody: JSONFieldNot("/ok", true)},
	} {
		for _, n := range []int64{5, -1} {
			synctest.Test(t, func(t *testing.T) {
				src := new(empty)
				b := script(sized(n, func() io.Reader { return src }))
				resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				assert.LessOrEqual(t, src.reads, 2*maxReads, name)
				assert.Empty(t, text(t, resp))
				assert.Len(t, b.Arrivals(), 1)
				resp.Body.Close()
			})
		}
	}
}

// TestWhatStandsBetweenMayRead: a body that has been read whole already, and then
// by somebody else, is not the same any more.
func TestWhatStandsBetweenMayRead(t *testing.T) {
	for _, n := range []int64{0, 1, 12} {
		synctest.Test(t, func(t *testing.T) {
			p := Policy{MaxWholeBytes: 100}
			inner := &RetryTransport{Base: script(plain("hello, world")), Policy: p}
			between := roundTripper(func(req *http.Request) (*http.Response, error) {
				resp, err := inner.RoundTrip(req)
				io.CopyN(io.Discard, resp.Body, n)
				return resp, err
			})
			resp, err := (&RetryTransport{Base: between, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, "hello, world"[n:], text(t, resp))
			resp.Body.Close()
		})
	}
}
