package integrationtests

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

func memRequest(t *testing.T, ctx context.Context) *http.Request {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://mem/", nil)
	require.NoError(t, err)
	return req
}

// failFirst answers 503 with these headers, and 200 to every other request.
func failFirst(headers ...string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 {
			return
		}
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		http.Error(w, "not now", 503)
	}
}

func TestWaitsAgainstARealServer(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    time.Duration
	}{
		"default":     {nil, 2 * time.Second},
		"Retry-After": {[]string{"Retry-After", "20"}, 20 * time.Second},
		"sooner":      {[]string{"Retry-After", "1"}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			servertest.EachInMemory(t, failFirst(c.headers...), func(t *testing.T, base *http.Transport) {
				start := time.Now()
				resp, err := (&insist.RetryTransport{Base: base}).RoundTrip(memRequest(t, t.Context()))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
				resp.Body.Close()
				assert.Equal(t, c.want, time.Since(start))
			})
		})
	}
}

func TestTheEndOfTheContextEndsAWaitAgainstARealServer(t *testing.T) {
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not now", 503) }
	servertest.EachInMemory(t, failing, func(t *testing.T, base *http.Transport) {
		ctx, cancel := context.WithCancelCause(t.Context())
		mine := errors.New("the caller's cause")
		time.AfterFunc(time.Second, func() { cancel(mine) })
		start := time.Now()
		_, err := (&insist.RetryTransport{Base: base}).RoundTrip(memRequest(t, ctx))
		require.ErrorIs(t, err, mine)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 503, err.(*insist.Error).Status)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestClientTimeoutAgainstARealServer(t *testing.T) {
	n := 0
	slow := func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 1 {
			http.Error(w, "not now", 503)
			return
		}
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
		}
	}
	servertest.EachInMemory(t, slow, func(t *testing.T, base *http.Transport) {
		client := &http.Client{Transport: &insist.RetryTransport{Base: base}}
		start := time.Now()
		client.Timeout = time.Second // too short for the wait, which is not begun
		resp, err := client.Get("http://mem/")
		require.NoError(t, err)
		assert.Equal(t, "not now\n", servertest.ReadAndClose(t, resp))
		assert.Zero(t, time.Since(start))

		n, client.Timeout = 0, 10*time.Second // in the second attempt
		_, err = client.Get("http://mem/")
		require.Error(t, err)
		assert.True(t, isTimeout(err), "%v", err)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

// TestTimeoutsOfTheBase are not the caller's: its context is alive.
func TestTimeoutsOfTheBase(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*http.Transport)
		url  string
		post ends
	}{
		"header": {func(b *http.Transport) { b.ResponseHeaderTimeout = 10 * time.Second }, "http://mem/", maybeDone},
		"TLS": {func(b *http.Transport) {
			b.TLSHandshakeTimeout, b.TLSClientConfig = 10*time.Second, &tls.Config{ServerName: "mem"}
		}, "https://mem/", usesUp(3)},
	} {
		for method, want := range map[string]ends{"GET": usesUp(3), "POST": c.post} {
			t.Run(name+"/"+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					li := insisttest.NewListener()
					go func() {
						for conn, err := li.Accept(); err == nil; conn, err = li.Accept() {
							go io.Copy(io.Discard, conn)
						}
					}()
					base := &http.Transport{DialContext: li.Dial}
					c.set(base)
					start := time.Now()
					got, err := call(t, base, method, c.url, method == "POST")
					assert.Equal(t, want, got)
					assert.True(t, isTimeout(err), "%v", err)
					assert.Equal(t, time.Duration(want.attempts)*10*time.Second, time.Since(start))
					li.Close()
				})
			})
		}
	}
}
