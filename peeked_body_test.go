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
				assert.LessOrEqual(t, src.reads, 2*100, name)
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

// TestAClosedBodyGivesNothing, as net/http's own, also to a Read that waits.
func TestAClosedBodyGivesNothing(t *testing.T) {
	for name, p := range map[string]Policy{
		"condition": {RetryableBody: JSONFieldNot("/ok", true)},
		"whole":     {MaxWholeBytes: 100},
	} {
		for _, rest := range []string{"", ", and the rest", "waits"} {
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go func() {
					if io.WriteString(w, `{"ok": true}`); rest != "waits" {
						io.WriteString(w, rest)
						w.Close()
					}
				}()
				b := script(sized(-1, func() io.Reader { return r }))
				resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				ended := make(chan error)
				go func() {
					if rest == "waits" {
						io.CopyN(io.Discard, resp.Body, int64(len(`{"ok": true}`)))
						_, err := resp.Body.Read(make([]byte, 1))
						ended <- err
					}
					close(ended)
				}()
				synctest.Wait()
				resp.Body.Close()
				r.CloseWithError(errLost) // as net/http's own body is, then
				if rest == "waits" {
					assert.Error(t, <-ended, name)
				}
				<-ended
				n, err := resp.Body.Read(make([]byte, 1))
				assert.Zero(t, n, "%s %s", name, rest)
				assert.Error(t, err, "%s %s", name, rest)
				assert.NotEqual(t, io.EOF, err, "%s %s", name, rest)
			})
		}
	}
}
