package integrationtests

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// openers have a response read from before it is handed over.
var openers = map[string]insist.Policy{
	"a look":           {RetryableBody: insist.JSONFieldNot("/ok", true)},
	"whole":            {MaxWholeBytes: 1 << 20},
	"a look, all":      {RetryableBody: insist.JSONFieldNot("/last", true)},
	"a look and whole": {RetryableBody: insist.JSONFieldNot("/ok", true), MaxWholeBytes: 1 << 20},
}

// withTrailers answers with trailers, announced or not, after a pause before the body.
func withTrailers(announce bool, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if announce {
			w.Header().Set("Trailer", "Sum")
		}
		w.WriteHeader(200)
		flush(w)
		time.Sleep(pause)
		io.WriteString(w, `{"ok": true, "last": true}`)
		flush(w)
		if announce {
			w.Header().Set("Sum", "1")
		}
		w.Header().Set(http.TrailerPrefix+"Extra", "2")
	}
}

// TestTrailersThroughAReverseProxy: while it ranges over them, the Read that a look has
// left in flight meets the end and writes the base's.
func TestTrailersThroughAReverseProxy(t *testing.T) {
	for name, p := range openers {
		for _, announce := range []bool{true, false} {
			for _, pause := range []time.Duration{0, time.Second, 2 * time.Second} {
				servertest.EachInMemory(t, withTrailers(announce, pause), func(t *testing.T, base *http.Transport) {
					proxy := &httputil.ReverseProxy{
						Transport: &insist.RetryTransport{Base: base, Policy: p},
						Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Host, r.Out.URL.Scheme = "origin", "http" },
						ModifyResponse: func(resp *http.Response) error {
							resp.Header.Set("Through", "proxy")
							for range 100 { // as a slow reader of them
								for range resp.Trailer {
								}
							}
							return nil
						},
					}
					resp := get(t, servertest.HTTP1.InMemory(t, proxy))
					data, err := io.ReadAll(resp.Body)
					require.NoError(t, err, name)
					assert.Equal(t, `{"ok": true, "last": true}`, string(data), name)
					want := http.Header{"Extra": {"2"}}
					if announce {
						want.Set("Sum", "1")
					}
					assert.Equal(t, want, resp.Trailer, name)
					resp.Body.Close()
				})
			}
		}
	}
}

// TestTrailersComeWithTheCallersEnd, as without insist: until then the announced keys
// have no values.
func TestTrailersComeWithTheCallersEnd(t *testing.T) {
	for name, p := range openers {
		for _, announce := range []bool{true, false} {
			servertest.EachInMemory(t, withTrailers(announce, 0), func(t *testing.T, base *http.Transport) {
				resp := get(t, &insist.RetryTransport{Base: base, Policy: p})
				before, want := http.Header(nil), http.Header{"Extra": {"2"}}
				if announce {
					before = http.Header{"Sum": nil}
					want.Set("Sum", "1")
				}
				assert.Equal(t, before, resp.Trailer, name)
				n, err := io.ReadFull(resp.Body, make([]byte, len(`{"ok": true, "last": true}`)))
				require.NoError(t, err, name)
				assert.Equal(t, before, resp.Trailer, "%s: %d bytes", name, n)
				_, err = resp.Body.Read(make([]byte, 1))
				assert.Equal(t, io.EOF, err, name)
				assert.Equal(t, want, resp.Trailer, name)
				resp.Body.Close()
			})
		}
	}
}

// cache is a base that copies the response when its body has been read, as
// gregjones/httpcache does.
type cache struct {
	base   http.RoundTripper
	stored []byte
}

func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if err == nil {
		resp.Body = &cachingBody{ReadCloser: resp.Body, cache: c, resp: resp}
	}
	return resp, err
}

type cachingBody struct {
	io.ReadCloser
	cache *cache
	resp  *http.Response
	data  bytes.Buffer
}

func (b *cachingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.data.Write(p[:n])
	if err == io.EOF {
		resp := *b.resp
		resp.Body = io.NopCloser(&b.data)
		b.cache.stored, _ = httputil.DumpResponse(&resp, true)
	}
	return n, err
}

// TestACacheBelow stores the response as it came, while the caller changes what it got.
func TestACacheBelow(t *testing.T) {
	for name, p := range openers {
		for _, pause := range []time.Duration{0, 2 * time.Second} {
			servertest.EachInMemory(t, withTrailers(true, pause), func(t *testing.T, base *http.Transport) {
				c := &cache{base: base}
				resp := get(t, &insist.RetryTransport{Base: c, Policy: p})
				resp.Header.Set("Changed", "by the caller")
				resp.Status, resp.ContentLength = "200 as the caller likes it", 7
				delete(resp.Trailer, "Sum")
				data, err := io.ReadAll(resp.Body)
				require.NoError(t, err, name)
				assert.Equal(t, `{"ok": true, "last": true}`, string(data), name)
				resp.Body.Close()
				assert.Contains(t, string(c.stored), "200 OK", name)
				assert.Contains(t, string(c.stored), `{"ok": true, "last": true}`, name)
				if pause > 0 {
					assert.NotContains(t, string(c.stored), "Changed", name)
				}
			})
		}
	}
}
