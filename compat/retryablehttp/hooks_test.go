package retryablehttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/seed-552c89fc/insist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequestLogHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(500), status(500), status(200))
		var numbers []int
		c.RequestLogHook = func(l Logger, req *http.Request, n int) {
			assert.Nil(t, l)
			numbers = append(numbers, n)
			if n == 0 {
				req.Header.Set("Once", "kept") // for all attempts
			}
			req.Header.Set("Number", fmt.Sprint(n))
			data, err := httputil.DumpRequestOut(req, true)
			assert.NoError(t, err)
			assert.Contains(t, string(data), "hello")
		}
		req, err := NewRequest("PUT", "http://example.com", []byte("hello"))
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []int{0, 1, 2}, numbers)
		assert.Equal(t, []string{"hello", "hello", "hello"}, b.bodies())
		for i, s := range b.sent {
			assert.Equal(t, "kept", s.header.Get("Once"))
			assert.Equal(t, fmt.Sprint(i), s.header.Get("Number"))
		}
		assert.Empty(t, req.Header, "the caller's")
		assert.Equal(t, "2", resp.Request.Header.Get("Number"), "as it was sent")
	})
}

// What a hook does with a request says nothing about the attempt: dumping one
// writes its headers, to nowhere.
func TestRequestLogHookIsNoProofOfSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(fails(errRefused), status(200))
		c.RequestLogHook = func(_ Logger, req *http.Request, _ int) {
			_, err := httputil.DumpRequestOut(req, false)
			assert.NoError(t, err)
		}
		resp, err := c.Post("http://example.com", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"hello", "hello"}, b.bodies())
	})
}

func TestRequestLogHookMayReplaceTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(500), status(200))
		c.RequestLogHook = func(_ Logger, req *http.Request, n int) {
			data, err := io.ReadAll(req.Body)
			assert.NoError(t, err)
			assert.Equal(t, "hello", string(data))
			req.Body = io.NopCloser(strings.NewReader(strings.ToUpper(string(data))))
		}
		req, err := NewRequest("PUT", "http://example.com", plain{strings.NewReader("hello")})
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"HELLO", "HELLO"}, b.bodies())
	})
}

// If it can't be sent in full, it isn't sent.
func TestHookThatReadsABodyThatCanBeReadOnce(t *testing.T) {
	defer func(before int64) { MaxBufferedBytes = before }(MaxBufferedBytes)
	for name, test := range map[string]struct {
		limit int64
		sent  []string
	}{
		"kept by the engine": {0, []string{"hello"}},
		"too long":           {4, nil},
	} {
		bubble(t, name, func(t *testing.T) {
			MaxBufferedBytes = test.limit
			c, b := play(status(200))
			c.RequestLogHook = func(_ Logger, req *http.Request, _ int) { req.Body.Read(make([]byte, 2)) }
			body := &source{Reader: strings.NewReader("hello")}
			req, err := NewRequest("PUT", "http://example.com", body)
			require.NoError(t, err)
			resp, err := c.Do(req)
			assert.Equal(t, test.sent, b.bodies())
			assert.Positive(t, body.closes)
			if test.sent != nil {
				require.NoError(t, err)
				resp.Body.Close()
				return
			}
			assert.ErrorContains(t, err, "giving up after 1 attempt(s)")
		})
	}
}

// uncomparable is a body that == panics for.
type uncomparable struct {
	io.Reader
	_ []int
}

func (uncomparable) Close() error { return nil }

func TestBodiesThatCantBeCompared(t *testing.T) {
	for _, retries := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := play(status(200))
			c.RetryMax = retries
			c.RequestLogHook = func(Logger, *http.Request, int) {}
			httpReq, err := http.NewRequest("PUT", "http://example.com", uncomparable{Reader: strings.NewReader("hello")})
			require.NoError(t, err)
			httpReq.ContentLength = 5
			req, err := FromRequest(httpReq)
			require.NoError(t, err)
			resp, err := c.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
		})
	}
}

// What a hook reads of a body is sent all the same.
func TestHooksMayReadTheBody(t *testing.T) {
	shared := strings.NewReader("hello")
	bodies := map[string]func() any{
		"bytes":  func() any { return []byte("hello") },
		"seeker": func() any { return struct{ io.ReadSeeker }{strings.NewReader("hello")} },
		"func":   func() any { return func() (io.Reader, error) { return plain{strings.NewReader("hello")}, nil } },
		"a func that rewinds one reader": func() any {
			return func() (io.Reader, error) { shared.Seek(0, io.SeekStart); return plain{shared}, nil }
		},
	}
	hooks := map[string]func(*http.Request){
		"Body":       func(req *http.Request) { io.ReadAll(req.Body) },
		"Body.Close": func(req *http.Request) { req.Body.Close() },
		"GetBody": func(req *http.Request) {
			body, err := req.GetBody()
			assert.NoError(t, err)
			io.ReadAll(body)
		},
	}
	for body, rawBody := range bodies {
		for read, hook := range hooks {
			bubble(t, body+", "+read, func(t *testing.T) {
				c, b := play(status(500), status(500), status(200))
				c.RequestLogHook = func(_ Logger, req *http.Request, _ int) { hook(req) }
				if read == "GetBody" {
					c.PrepareRetry = func(req *http.Request) error { hook(req); return nil }
				}
				req, err := NewRequest("PUT", "http://example.com", rawBody())
				require.NoError(t, err)
				resp, err := c.Do(req)
				require.NoError(t, err)
				resp.Body.Close()
				assert.Equal(t, []string{"hello", "hello", "hello"}, b.bodies())
			})
		}
	}
}

func TestPrepareRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(500), fails(errLost), status(200))
		n := 0
		c.PrepareRetry = func(req *http.Request) error {
			n++
			body, err := req.GetBody() // to sign it
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			assert.NoError(t, err)
			req.Header.Add("Signature", fmt.Sprint(n, string(data)))
			req.URL.RawQuery = fmt.Sprint("n=", n)
			return nil
		}
		edit(t, func(p *insist.Policy) {
			p.Prepare = func(req *http.Request, _ *http.Response, _ error) error { req.Header.Set("Edited", "yes"); return nil }
		})
		req, err := NewRequest("PUT", "http://example.com", tempFile(t, "hello"))
		require.NoError(t, err)
		before := req.Request
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"hello", "hello", "hello"}, b.bodies())
		assert.Empty(t, b.sent[0].header["Signature"])
		assert.Equal(t, []string{"1hello"}, b.sent[1].header["Signature"])
		assert.Equal(t, []string{"1hello", "2hello"}, b.sent[2].header["Signature"])
		assert.Equal(t, "yes", b.sent[2].header.Get("Edited"))
		assert.Equal(t, []string{"1hello", "2hello"}, req.Header["Signature"], "as in the original")
		assert.Equal(t, "n=2", resp.Request.URL.RawQuery)
		assert.Empty(t, before.Header)
		assert.Empty(t, before.URL.RawQuery)
	})
}

// PrepareRetry has the body by GetBody. Body would be the one that is sent.
func TestPrepareRetryTakesNoBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(200))
		refused := false
		c.HTTPClient.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
			if !refused { // before anything is read
				refused = true
				req.Body.Close()
				return nil, errRefused
			}
			return b.RoundTrip(req)
		})
		c.PrepareRetry = func(req *http.Request) error {
			data, err := io.ReadAll(req.Body)
			assert.NoError(t, err)
			assert.Empty(t, data)
			return nil
		}
		httpReq, err := http.NewRequest("PUT", "http://example.com", plain{strings.NewReader("hello")})
		require.NoError(t, err)
		httpReq.ContentLength = 5
		req, err := FromRequest(httpReq)
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"hello"}, b.bodies())
		assert.Equal(t, httpReq.Body, req.Body)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestResponseLogHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(status(500), fails(errLost), status(200))
		c.Logger = log.New(io.Discard, "", 0)
		var codes []int
		c.ResponseLogHook = func(l Logger, resp *http.Response) {
			assert.Equal(t, c.Logger, l)
			codes = append(codes, resp.StatusCode)
		}
		resp, err := c.Get("http://example.com")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []int{500, 200}, codes)
	})
}

// A hook that panics leaves no body open.
func TestPanics(t *testing.T) {
	for name, set := range map[string]func(*Client, *Request){
		"RequestLogHook":  func(c *Client, _ *Request) { c.RequestLogHook = func(Logger, *http.Request, int) { panic("hook") } },
		"ResponseLogHook": func(c *Client, _ *Request) { c.ResponseLogHook = func(Logger, *http.Response) { panic("hook") } },
		"CheckRetry": func(c *Client, _ *Request) {
			c.CheckRetry = func(context.Context, *http.Response, error) (bool, error) { panic("hook") }
		},
		"handler": func(_ *Client, r *Request) { r.SetResponseHandler(func(*http.Response) error { panic("hook") }) },
	} {
		bubble(t, name, func(t *testing.T) {
			sent, answered := &source{Reader: strings.NewReader("hello")}, &source{Reader: strings.NewReader("text")}
			c, _ := play(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: answered}, nil
			})
			httpReq, err := http.NewRequest("PUT", "http://example.com", sent)
			require.NoError(t, err)
			req, err := FromRequest(httpReq)
			require.NoError(t, err)
			set(c, req)
			assert.PanicsWithValue(t, "hook", func() { c.Do(req) })
			assert.Positive(t, sent.closes)
			assert.Equal(t, name != "RequestLogHook", answered.closes > 0)
		})
	}
}

// levels is a LeveledLogger that is a Logger, too.
type levels struct{ strings.Builder }

func (l *levels) log(level, msg string, kv []any) { fmt.Fprintln(&l.Builder, level, msg, kv) }
func (l *levels) Error(msg string, kv ...any)     { l.log("error", msg, kv) }
func (l *levels) Info(msg string, kv ...any)      { l.log("info", msg, kv) }
func (l *levels) Debug(msg string, kv ...any)     { l.log("debug", msg, kv) }
func (l *levels) Warn(msg string, kv ...any)      { l.log("warn", msg, kv) }
func (l *levels) Printf(string, ...any)           { panic("it has levels") }

func TestLogs(t *testing.T) {
	const url = "http://user:password@example.com/path?q=secret#fragment"
	const safe = "http://xxxxx@example.com/path"
	say := func(c *Client) string {
		var out bytes.Buffer
		switch l := c.Logger.(type) {
		case *log.Logger:
			l.SetOutput(&out)
			c.Get(url)
			return out.String()
		case *levels:
			c.Get(url)
			return l.String()
		}
		return ""
	}
	bubble(t, "plain", func(t *testing.T) {
		c, _ := play(status(500), fails(errLost), status(200))
		c.Logger = log.New(nil, "", 0)
		assert.Equal(t, ""+
			"[DEBUG] GET "+safe+"\n"+
			"[DEBUG] GET "+safe+" (status: 500): retrying in 1s (4 left)\n"+
			"[ERR] GET "+safe+` request failed: Get "`+safe+`": read tcp: connection reset by peer`+"\n"+
			"[DEBUG] GET "+safe+": retrying in 2s (3 left)\n", say(c))
	})
	bubble(t, "leveled", func(t *testing.T) {
		c, _ := play(status(500), fails(errLost), status(200))
		c.Logger = new(levels)
		c.ResponseLogHook = func(l Logger, _ *http.Response) { l.Printf("%d", 5) }
		assert.Equal(t, ""+
			"debug performing request [method GET url "+safe+"]\n"+
			"info 5 []\n"+
			"debug retrying request [request GET "+safe+" (status: 500) timeout 1s remaining 4]\n"+
			`error request failed [error Get "`+safe+`": read tcp: connection reset by peer method GET url `+safe+"]\n"+
			"debug retrying request [request GET "+safe+" timeout 2s remaining 3]\n"+
			"info 5 []\n", say(c))
	})
	bubble(t, "errors", func(t *testing.T) {
		c, _ := play(fails(errLost))
		_, err := c.Get(url)
		assert.EqualError(t, err, "GET "+safe+` giving up after 5 attempt(s): Get "`+safe+`": read tcp: connection reset by peer`)
		assert.ErrorIs(t, err, errLost)
	})
}

// What an SDK's retries do can be seen from outside: by the context, or for all.
func TestRecordAndOnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		edit(t, func(p *insist.Policy) {
			p.OnAttempt = func(_ context.Context, a insist.Attempt) { lines = append(lines, a.String()) }
		})
		c, _ := play(status(500), fails(errLost), status(404))
		c.Logger = new(levels)
		ctx, record := insist.WithRecord(t.Context())
		req, err := NewRequestWithContext(ctx, "GET", "http://example.com/path", nil)
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Len(t, lines, 3)
		assert.Regexp(t, "^500 .*wait 1s$", lines[0])
		assert.Regexp(t, "^connection_reset .*wait 2s$", lines[1])
		assert.Equal(t, "GET example.com: 3 attempts in 3s: "+strings.Join(lines, "; "), record.String())
	})
}

// A call may have another policy by its context, also none.
func TestPolicyOfAContext(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*insist.Policy)
		want int
	}{
		"off":      {func(p *insist.Policy) { p.Disabled = true }, 1},
		"attempts": {func(p *insist.Policy) { p.MaxAttempts = 2 }, 2},
	} {
		bubble(t, name, func(t *testing.T) {
			c, b := play(status(500))
			req, err := NewRequestWithContext(insist.EditPolicy(t.Context(), test.edit), "GET", "http://example.com", nil)
			require.NoError(t, err)
			resp, err := c.Do(req)
			require.NoError(t, err, "the response itself: the Client's RetryMax is not used up")
			resp.Body.Close()
			assert.Len(t, b.sent, test.want)
		})
	}
}

// What the engine can do besides is a line in EditPolicy, too.
func TestResumeDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edit(t, func(p *insist.Policy) { p.ResumeDownloads = true })
		part := func(code int, text string, rest error, header ...string) step {
			return func(req *http.Request) (*http.Response, error) {
				resp, err := status(code, append(header, "Accept-Ranges", "bytes", "ETag", `"a"`)...)(req)
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(rest)))
				resp.ContentLength = 8
				if code == http.StatusPartialContent {
					resp.ContentLength = int64(len(text))
				}
				return resp, err
			}
		}
		c, b := play(part(200, "down", errLost), status(503), part(206, "load", io.EOF, "Content-Range", "bytes 4-7/8"))
		req, err := NewRequest("GET", "http://example.com", nil)
		require.NoError(t, err)
		handled := 0
		req.SetResponseHandler(func(*http.Response) error { handled++; return nil })
		resp, err := c.Do(req)
		require.NoError(t, err)
		data, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, "download", string(data))
		assert.Len(t, b.sent, 3)
		assert.Equal(t, 1, handled)
		resp.Body.Close()
	})
}

// Of two layers that retry only the outer one retries.
func TestInnerRetryTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, hook := range []RequestLogHook{nil, func(Logger, *http.Request, int) {}} {
			c, b := play(status(500))
			c.RequestLogHook = hook
			c.HTTPClient.Transport = &insist.RetryTransport{Base: b}
			_, err := c.Get("http://example.com")
			assert.Error(t, err)
			assert.Len(t, b.sent, 5)
		}
	})
}

func TestRoundTripper(t *testing.T) {
	broken := errors.New("broken")
	bubble(t, "either a response or an error", func(t *testing.T) {
		c, _ := play(status(500))
		body := new(source)
		c.ErrorHandler = func(resp *http.Response, _ error, _ int) (*http.Response, error) {
			resp.Body.Close()
			resp.Body = body
			return resp, broken
		}
		req, err := http.NewRequest("GET", "http://example.com", nil)
		require.NoError(t, err)
		resp, err := c.StandardClient().Transport.RoundTrip(req)
		assert.Nil(t, resp)
		assert.Equal(t, broken, err)
		assert.Equal(t, 1, body.closes)
	})
	bubble(t, "the transport's own error", func(t *testing.T) {
		c, _ := play(fails(errLost))
		c.ErrorHandler = PassthroughErrorHandler
		_, err := c.StandardClient().Get("http://example.com")
		assert.EqualError(t, err, `Get "http://example.com": read tcp: connection reset by peer`)
	})
	bubble(t, "a server's request", func(t *testing.T) { // as of a ReverseProxy
		c, _ := play(status(200))
		req, err := http.NewRequest("GET", "http://example.com", nil)
		require.NoError(t, err)
		req.RequestURI = "/"
		resp, err := c.StandardClient().Transport.RoundTrip(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, "/", req.RequestURI)
	})
}

func TestRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(503, "Retry-After", "1"), status(307, "Location", "/there"), status(200))
		resp, err := c.Post("http://example.com", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"hello", "hello", "hello"}, b.bodies())
		assert.Equal(t, "/there", resp.Request.URL.Path)
	})
}
