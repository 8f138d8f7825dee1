package integrationtests

import (
	"io"
	"net/http"
	"net/http/httputil"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// panicking is a body that does something else in Read after its first byte.
type panicking struct {
	insisttest.Body
	read int
	fail func()
}

func (b *panicking) Read(p []byte) (int, error) {
	if b.read++; b.read > 1 {
		b.fail()
	}
	return copy(p, "{"), nil
}

func (b *panicking) roundTripper(status int) http.RoundTripper {
	return insisttest.NewScript(func(req *http.Request) (*http.Response, error) {
		b.read = 0
		return &http.Response{StatusCode: status, ProtoMajor: 1, Header: http.Header{}, ContentLength: 100, Body: b}, nil
	})
}

// TestAPanicInAResponseBody can be recovered by the caller, and everything is closed.
func TestAPanicInAResponseBody(t *testing.T) {
	for name, p := range openers {
		body := &panicking{fail: func() { panic(http.ErrAbortHandler) }}
		upload := &insisttest.Body{}
		req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://x/", upload)
		assert.NoError(t, err)
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
			(&insist.RetryTransport{Base: body.roundTripper(200), Policy: p}).RoundTrip(req)
		}, name)
		assert.Equal(t, 1, body.Closes(), name)
		assert.Equal(t, 1, upload.Closes(), name)
	}
}

func TestAnExitInAResponseBody(t *testing.T) {
	for name, p := range openers {
		body := &panicking{fail: runtime.Goexit}
		done, returned := make(chan struct{}), false
		go func() {
			defer close(done)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://x/", nil)
			(&insist.RetryTransport{Base: body.roundTripper(200), Policy: p}).RoundTrip(req)
			returned = true
		}()
		<-done
		assert.False(t, returned, name)
		assert.Equal(t, 1, body.Closes(), name)
	}
}

// TestAPanicInADiscardedBody does not disturb the call.
func TestAPanicInADiscardedBody(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("boom") }, "exit": runtime.Goexit} {
		body := &panicking{fail: fail}
		p := insist.Policy{Backoff: insist.Constant(0)}
		resp := get(t, &insist.RetryTransport{Base: body.roundTripper(503), Policy: p})
		assert.Equal(t, 503, resp.StatusCode, name)
		assert.Equal(t, 2, body.Closes(), name)
		resp.Body.Close()
	}
}

// TestAPanicAfterTheHandOver, of the Read that a look has left in flight.
func TestAPanicAfterTheHandOver(t *testing.T) {
	for name, p := range openers {
		synctest.Test(t, func(t *testing.T) {
			body := &panicking{fail: func() { time.Sleep(time.Minute); panic("boom") }}
			base := body.roundTripper(200)
			unknown := insisttest.NewScript(func(req *http.Request) (*http.Response, error) {
				resp, err := base.RoundTrip(req)
				resp.ContentLength = -1
				return resp, err
			})
			resp := get(t, &insist.RetryTransport{Base: unknown, Policy: p})
			assert.PanicsWithValue(t, "boom", func() { io.ReadAll(resp.Body) }, name)
			resp.Body.Close()
			assert.Equal(t, 1, body.Closes(), name)
		})
	}
}

// TestAnAbortThroughAReverseProxy ends the proxy's request, and not the process.
func TestAnAbortThroughAReverseProxy(t *testing.T) {
	for _, p := range openers {
		synctest.Test(t, func(t *testing.T) {
			body := &panicking{fail: func() { panic(http.ErrAbortHandler) }}
			front := servertest.HTTP1.InMemory(t, &httputil.ReverseProxy{
				Transport: &insist.RetryTransport{Base: body.roundTripper(200), Policy: p},
				Rewrite:   func(*httputil.ProxyRequest) {},
			})
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://example.com/", nil)
			_, err := front.RoundTrip(req)
			assert.ErrorIs(t, err, io.EOF)
		})
	}
}
