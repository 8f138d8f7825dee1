package reqbody

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// throws is a body of which the method that is named throws, the second time.
type throws struct {
	io.Reader
	method string
	throw  func()
	calls  int
}

func (b *throws) call(method string) {
	if method != b.method {
		return
	}
	if b.calls++; b.calls == 2 || method == "Close" {
		b.throw()
	}
}

func (b *throws) Read(p []byte) (int, error) {
	b.call("Read")
	return b.Reader.Read(p[:min(len(p), 5)])
}

func (b *throws) Close() error {
	b.call("Close")
	return nil
}

var errThrown = errors.New("thrown")

// outcomeOf runs f on a goroutine of its own. It returns what f panicked with and whether f
// ended its goroutine, and reports whether f returned.
func outcomeOf(f func()) (value any, returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { value = recover() }()
		f()
		returned = true
	}()
	<-done
	return value, returned
}

// readsElsewhere is a base that reads, and closes, bodies on a goroutine of its own, as
// net/http does.
type readsElsewhere func(body io.ReadCloser) error

func (b readsElsewhere) RoundTrip(req *http.Request) (*http.Response, error) {
	done := make(chan error, 1)
	go func() {
		defer close(done) // where a Goexit is on this goroutine
		done <- b(req.Body)
	}()
	if err := <-done; err != nil {
		return nil, err
	}
	return &http.Response{Body: io.NopCloser(strings.NewReader("response"))}, nil
}

// A panic in a method of the caller's body doesn't end the process: Send, or what is
// called next, panics with the same value. A Goexit ends the goroutine of the caller.
func TestWhatABodyThrowsReachesTheCaller(t *testing.T) {
	sends := readsElsewhere(func(body io.ReadCloser) error {
		_, err := io.Copy(io.Discard, body)
		body.Close()
		return err
	})
	ignores := readsElsewhere(func(body io.ReadCloser) error {
		io.Copy(io.Discard, body)
		body.Close()
		return nil
	})
	for _, base := range []readsElsewhere{sends, ignores} {
		for _, method := range []string{"Read", "Close"} {
			for _, kind := range []string{"read once", "longer than the limit", "GetBody", "a seeker with GetBody"} {
				for name, throw := range map[string]func(){
					"panic":  func() { panic(errThrown) },
					"Goexit": runtime.Goexit,
				} {
					t.Run(strings.Join([]string{method, kind, name}, ", "), func(t *testing.T) {
						body := &throws{Reader: bytes.NewReader(pattern(100)), method: method, throw: throw}
						req := request(t, "PUT", "http://x/", body)
						switch kind {
						case "GetBody":
							req.GetBody = func() (io.ReadCloser, error) { return nil, errLost }
						case "a seeker with GetBody":
							req.Body = struct {
								io.ReadCloser
								io.Seeker
							}{body, body.Reader.(io.Seeker)}
							req.GetBody = func() (io.ReadCloser, error) { return nil, errLost }
						}
						c := &call{req: req}
						limit := int64(1000)
						if kind == "longer than the limit" {
							limit = 3
						}
						c.Take(req, limit)
						value, returned := outcomeOf(func() {
							defer c.End()
							l := c.lease()
							assert.NoError(t, c.Fill(l))
							_, err := l.Send(base, t.Context())
							assert.NoError(t, err)
							c.Keep()
						})
						assert.False(t, returned)
						if name == "panic" {
							assert.Equal(t, errThrown, value)
						}
						_, returned = outcomeOf(c.End)
						assert.True(t, returned, "thrown twice")
					})
				}
			}
		}
	}
}

// So does a panic in GetBody, wherever it is called.
func TestWhatGetBodyThrowsReachesTheCaller(t *testing.T) {
	for name, use := range map[string]func(c *call, l *Lease){
		"for the next attempt": func(c *call, l *Lease) { c.Fill(c.lease()) },
		"for a copy": func(c *call, l *Lease) {
			l.Send(readsElsewhere(func(io.ReadCloser) error {
				_, err := l.Request.GetBody()
				return err
			}), l.Request.Context())
		},
		"for Body, after a copy": func(c *call, l *Lease) {
			l.Send(readsElsewhere(func(body io.ReadCloser) error {
				c.stream.(*getBodySource).getBody = func() (io.ReadCloser, error) { return hidden("data"), nil }
				copied, _ := l.Request.GetBody()
				copied.Close()
				c.stream.(*getBodySource).getBody = func() (io.ReadCloser, error) { panic(errThrown) }
				_, err := body.Read(make([]byte, 1))
				return err
			}), l.Request.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &call{closes: new(closes), req: request(t, "PUT", "http://x/", nil)}
			c.req.Body = c.plain(strings.NewReader("data"))
			c.req.GetBody = func() (io.ReadCloser, error) { panic(errThrown) }
			c.Take(c.req, 100)
			l := c.lease()
			require.NoError(t, c.Fill(l))
			value, _ := outcomeOf(func() {
				defer c.End()
				use(c, l)
			})
			assert.Equal(t, errThrown, value)
			assert.Equal(t, c.given.Load(), c.closed.Load())
		})
	}
}

func hidden(data string) io.ReadCloser {
	return &struct{ io.ReadCloser }{io.NopCloser(strings.NewReader(data))}
}

// The response is closed, too, if there is one.
func TestAResponseIsClosedWhereTheBodyPanicked(t *testing.T) {
	c := &call{req: request(t, "PUT", "http://x/", &throws{Reader: strings.NewReader("longer than 5"), method: "Read", throw: func() { panic(errThrown) }})}
	c.Take(c.req, 100)
	l := c.lease()
	require.NoError(t, c.Fill(l))
	response := new(closes).plain(strings.NewReader(""))
	assert.PanicsWithValue(t, errThrown, func() {
		l.Send(roundTripper(func(req *http.Request) (*http.Response, error) {
			io.Copy(io.Discard, req.Body)
			return &http.Response{Body: response}, nil
		}), t.Context())
	})
	assert.True(t, response.closed.Load())
	c.End()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
