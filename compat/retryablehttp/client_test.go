package retryablehttp

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	errLost    = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

// What is carried out twice is the first thing that this module is there for.
func TestWhatIsRetried(t *testing.T) {
	const theirs, unlessLost = insist.ResendEvenIfLost, insist.ResendUnlessLost
	const ours = insist.ResendOnlyUnsent
	for name, test := range map[string]struct {
		method string
		first  step
		rule   insist.Resend
		want   int
	}{
		"GET 500":                    {"GET", status(500), ours, 2},
		"GET lost":                   {"GET", fails(errLost), ours, 2},
		"GET 404":                    {"GET", status(404), ours, 1},
		"GET 501":                    {"GET", status(501), ours, 1},
		"PUT lost":                   {"PUT", fails(errLost), ours, 2},
		"DELETE 502":                 {"DELETE", status(502), ours, 2},
		"POST 500":                   {"POST", status(500), ours, 1},
		"POST 502":                   {"POST", status(502), ours, 1},
		"POST 503":                   {"POST", status(503), ours, 1},
		"POST 503 with Retry-After":  {"POST", status(503, "Retry-After", "1"), ours, 2},
		"POST 504":                   {"POST", status(504), ours, 1},
		"POST 429":                   {"POST", status(429), ours, 2},
		"POST lost":                  {"POST", fails(errLost), ours, 1},
		"POST refused":               {"POST", fails(errRefused), ours, 2},
		"POST unprocessed":           {"POST", fails(errors.New("http2: Transport received Server's graceful shutdown GOAWAY")), ours, 2},
		"PATCH lost":                 {"PATCH", fails(errLost), ours, 1},
		"POST 500, unless lost":      {"POST", status(500), unlessLost, 2},
		"POST lost, unless lost":     {"POST", fails(errLost), unlessLost, 1},
		"POST 500, as the original":  {"POST", status(500), theirs, 2},
		"POST lost, as the original": {"POST", fails(errLost), theirs, 2},
		"GET 500, server says no":    {"GET", status(500, "X-Should-Retry", "false"), ours, 1},
		"GET 404, server says yes":   {"GET", status(404, "X-Should-Retry", "true"), ours, 1},
		"GET without a status":       {"GET", status(0), ours, 2},
		"GET 417 with Expect":        {"EXPECT", status(417), ours, 1},
	} {
		bubble(t, name, func(t *testing.T) {
			edit(t, func(p *insist.Policy) {
				assert.Equal(t, ours, p.NonIdempotent)
				p.NonIdempotent = test.rule
			})
			c, b := play(test.first, status(200))
			req, err := NewRequest(test.method, "http://example.com", []byte("hello"))
			require.NoError(t, err)
			if test.method == "EXPECT" {
				req.Method = "GET"
				req.Header.Set("Expect", "100-continue")
			}
			resp, err := c.Do(req)
			assert.Len(t, b.sent, test.want)
			if err == nil { // the response itself, to be read
				data, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.Equal(t, "text", string(data))
			}
		})
	}
}

func TestWaits(t *testing.T) {
	const s = time.Second
	for name, test := range map[string]struct {
		first    step
		deadline time.Duration
		want     []time.Duration // between the attempts
		status   int
	}{
		"the defaults": {first: status(500), want: []time.Duration{s, 2 * s, 4 * s, 8 * s}},
		"Retry-After":  {first: status(429, "Retry-After", "7"), want: []time.Duration{7 * s, 7 * s, 7 * s, 7 * s}},
		// An int64 of nanoseconds has no room for these: the original waits not at all.
		"overflow":             {first: status(429, "Retry-After", "10000000000"), status: 429},
		"an hour":              {first: status(429, "Retry-After", "3600"), status: 429},
		"five minutes":         {first: status(429, "Retry-After", "300"), want: []time.Duration{300 * s, 300 * s, 300 * s, 300 * s}},
		"beyond the deadline":  {first: status(429, "Retry-After", "7"), deadline: 5 * s, status: 429},
		"within the deadline":  {first: status(429, "Retry-After", "7"), deadline: 10 * s, want: []time.Duration{7 * s}, status: 429},
		"backoff past the end": {first: status(500), deadline: 4 * s, want: []time.Duration{s, 2 * s}, status: 500},
	} {
		bubble(t, name, func(t *testing.T) {
			ctx := t.Context()
			if test.deadline > 0 {
				short, cancel := context.WithTimeout(ctx, test.deadline)
				defer cancel()
				ctx = short
			}
			c, b := play(test.first)
			req, err := NewRequestWithContext(ctx, "GET", "http://example.com/path?q=secret", nil)
			require.NoError(t, err)
			resp, err := c.Do(req)
			assert.Equal(t, test.want, b.waits())
			if test.status != 0 {
				require.NoError(t, err)
				assert.Equal(t, test.status, resp.StatusCode)
				resp.Body.Close()
				return
			}
			assert.EqualError(t, err, "GET http://example.com/path giving up after 5 attempt(s)")
		})
	}
}

func TestMaxRetryAfterAsInTheOriginal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edit(t, func(p *insist.Policy) { p.MaxRetryAfter = math.MaxInt64 })
		c, b := play(status(429, "Retry-After", "86400"), status(200))
		resp, err := c.Get("http://example.com")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []time.Duration{24 * time.Hour}, b.waits())
	})
}

func TestRetryMax(t *testing.T) {
	for max, attempts := range map[int]int{math.MinInt: 1, -1: 1, 0: 1, 1: 2, 4: 5} {
		synctest.Test(t, func(t *testing.T) {
			c, b := play(status(500))
			c.RetryMax = max
			_, err := c.Get("http://example.com")
			assert.ErrorContains(t, err, "attempt(s)")
			assert.Len(t, b.sent, attempts)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(status(500), status(200))
		c.RetryMax = math.MaxInt
		resp, err := c.Get("http://example.com")
		require.NoError(t, err)
		resp.Body.Close()
	})
}

// What Do returns, by what CheckRetry and the others say. The expected values are
// the original's.
func TestResults(t *testing.T) {
	check, prepare := errors.New("check"), errors.New("prepare")
	says := func(retry bool, err error) CheckRetry {
		return func(context.Context, *http.Response, error) (bool, error) { return retry, err }
	}
	type handled struct {
		resp  bool
		err   error
		tries int
	}
	for name, test := range map[string]struct {
		set  func(*Client)
		step step
		err  string // without a handler
		resp bool   // and whether there is a response
		want *handled
	}{
		"no retry":                {func(c *Client) { c.CheckRetry = says(false, nil) }, status(500), "", true, nil},
		"no retry after an error": {func(c *Client) { c.CheckRetry = says(false, nil) }, fails(errLost), `1 attempt(s): Get "http://example.com": read tcp: connection reset by peer`, false, &handled{false, errLost, 1}},
		"check's error":           {func(c *Client) { c.CheckRetry = says(false, check) }, status(500), "1 attempt(s): check", false, &handled{true, check, 1}},
		"check's error, retried":  {func(c *Client) { c.CheckRetry = says(true, check) }, status(500), "3 attempt(s): check", false, &handled{true, check, 3}},
		"check's in place of one": {func(c *Client) { c.CheckRetry = says(true, check) }, fails(errLost), "3 attempt(s): check", false, &handled{false, check, 3}},
		"used up":                 {func(*Client) {}, status(500), "3 attempt(s)", false, &handled{true, nil, 3}},
		"used up, error":          {func(*Client) {}, fails(errLost), `3 attempt(s): Get "http://example.com": read tcp: connection reset by peer`, false, &handled{false, errLost, 3}},
		"prepare's error":         {func(c *Client) { c.PrepareRetry = func(*http.Request) error { return prepare } }, status(500), "1 attempt(s): prepare", false, &handled{true, prepare, 1}},
		"nil check, nil backoff":  {func(c *Client) { c.CheckRetry, c.Backoff = nil, nil }, status(500), "3 attempt(s)", false, &handled{true, nil, 3}},
		"negative backoff": {func(c *Client) {
			c.Backoff = func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return -1 }
		}, status(500), "3 attempt(s)", false, &handled{true, nil, 3}},
		"a logger that is none":    {func(c *Client) { c.Logger = 5 }, status(500), "3 attempt(s)", false, &handled{true, nil, 3}},
		"not retried for a reason": {func(*Client) {}, status(503, "Retry-After", "999999"), "", true, &handled{true, nil, 1}},
	} {
		bubble(t, name, func(t *testing.T) {
			c, _ := play(test.step)
			c.RetryMax = 2
			test.set(c)
			resp, err := c.Get("http://example.com")
			assert.Equal(t, test.resp, resp != nil)
			if test.err == "" {
				assert.NoError(t, err)
				resp.Body.Close()
			} else {
				assert.EqualError(t, err, "GET http://example.com giving up after "+test.err)
			}

			var got *handled
			c.ErrorHandler = func(resp *http.Response, err error, tries int) (*http.Response, error) {
				got = &handled{resp != nil, err, tries}
				if resp != nil {
					resp.Body.Close()
				}
				return nil, check
			}
			_, err = c.Get("http://example.com")
			if test.want == nil {
				assert.NoError(t, err)
				assert.Nil(t, got)
				return
			}
			assert.Equal(t, check, err)
			require.NotNil(t, got)
			assert.ErrorIs(t, got.err, test.want.err)
			got.err, test.want.err = nil, nil
			assert.Equal(t, test.want, got)
		})
	}
}

func TestPassthroughErrorHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(status(500))
		c.ErrorHandler = PassthroughErrorHandler
		resp, err := c.Get("http://example.com")
		require.NoError(t, err)
		data, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, "text", string(data))
	})
}

func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		c, b := play(status(500))
		req, err := NewRequestWithContext(ctx, "GET", "http://example.com", nil)
		require.NoError(t, err)
		_, err = c.Do(req)
		assert.Equal(t, context.Canceled, err)
		assert.Len(t, b.sent, 1)
		_, err = c.Do(req)
		assert.EqualError(t, err, "GET http://example.com giving up after 1 attempt(s): context canceled")
		assert.Len(t, b.sent, 1)
	})
}

func TestResponseHandler(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		method  string
		results []error
		err     string
		checks  int
	}{
		"succeeds":           {"GET", []error{nil}, "", 2},
		"fails once":         {"GET", []error{broken, nil}, "", 4},
		"fails":              {"GET", []error{broken}, "GET http://example.com giving up after 3 attempt(s): broken", 6},
		"POST, may be done":  {"POST", []error{broken}, "POST http://example.com giving up after 1 attempt(s): broken", 2},
		"POST, it succeeded": {"POST", []error{nil}, "", 2},
	} {
		bubble(t, name, func(t *testing.T) {
			c, _ := play(status(200))
			c.RetryMax = 2
			checks := 0
			c.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
				checks++
				assert.NotNil(t, resp)
				return DefaultRetryPolicy(ctx, resp, err)
			}
			req, err := NewRequest(test.method, "http://example.com", nil)
			require.NoError(t, err)
			n := 0
			req.SetResponseHandler(func(resp *http.Response) error {
				defer resp.Body.Close()
				n++
				return test.results[min(n, len(test.results))-1]
			})
			_, err = c.Do(req)
			assert.Equal(t, test.checks, checks)
			if test.err == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.err)
			}
		})
	}
}

func TestCheckRetryMayReadTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(200))
		c.CheckRetry = func(_ context.Context, resp *http.Response, _ error) (bool, error) {
			data, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body = io.NopCloser(strings.NewReader(string(data) + "!"))
			return len(b.sent) < 3, nil
		}
		resp, err := c.Get("http://example.com")
		require.NoError(t, err)
		data, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, "text!", string(data))
	})
}

// http.Client returns both where a redirect is refused. So do we.
func TestRefusedRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		c, b := play(status(302, "Location", "/there"))
		c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return refused }
		checks := 0
		c.CheckRetry = func(_ context.Context, resp *http.Response, err error) (bool, error) {
			assert.Equal(t, 302, resp.StatusCode)
			assert.ErrorIs(t, err, refused)
			checks++
			return checks == 1, nil
		}
		c.ErrorHandler = PassthroughErrorHandler
		resp, err := c.Get("http://example.com")
		assert.Equal(t, 302, resp.StatusCode)
		assert.EqualError(t, err, `Get "/there": refused`)
		assert.Len(t, b.sent, 2)
		_, err = c.StandardClient().Get("http://example.com")
		assert.EqualError(t, err, `Get "http://example.com": refused`)
	})
}

func TestErrorsTellOfTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		c.HTTPClient.Timeout = time.Second
		for _, err := range []error{get(c.Get), get(c.StandardClient().Get)} {
			var timeout interface{ Timeout() bool }
			require.ErrorAs(t, err, &timeout)
			assert.True(t, timeout.Timeout())
		}
		c, _ = play(status(500))
		var timeout interface{ Timeout() bool }
		require.ErrorAs(t, get(c.Get), &timeout)
		assert.False(t, timeout.Timeout())
	})
}

func get(f func(string) (*http.Response, error)) error {
	_, err := f("http://example.com")
	return err
}

func TestNoRequest(t *testing.T) {
	c, _ := play(status(200))
	for _, req := range []*Request{nil, {}} {
		_, err := c.Do(req)
		assert.Equal(t, errNoRequest, err)
	}
	_, err := FromRequest(nil)
	assert.Equal(t, errNoRequest, err)
	_, err = c.Do(&Request{Request: new(http.Request)})
	assert.Error(t, err)
	_, err = (&RoundTripper{Client: c}).RoundTrip(&http.Request{Body: http.NoBody})
	assert.Error(t, err)
}

func TestZeroClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := new(Client), &base{steps: []step{status(500)}}
		c.HTTPClient = &http.Client{Transport: b}
		_, err := c.Get("http://example.com")
		assert.EqualError(t, err, "GET http://example.com giving up after 1 attempt(s)")
	})
	c := new(Client)
	_, err := c.Get("ftp://example.com")
	assert.ErrorContains(t, err, "unsupported protocol scheme")
	http2 := c.HTTPClient.Transport.(*http.Transport).HTTP2
	assert.Equal(t, silence, http2.SendPingTimeout)
	assert.Equal(t, silence, http2.PingTimeout)
}

// A Jar's cookies are in each attempt once, and not in the caller's headers.
func TestCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := play(status(500), status(500), status(200))
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		req, err := NewRequest("GET", "http://example.com", nil)
		require.NoError(t, err)
		jar.SetCookies(req.URL, []*http.Cookie{{Name: "a", Value: "b"}})
		c.HTTPClient.Jar = jar
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		for _, s := range b.sent {
			assert.Equal(t, []string{"a=b"}, s.header["Cookie"])
		}
		assert.Empty(t, req.Header)
	})
}

func TestResponsesRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithValue(t.Context(), key{}, "mine")
		c, _ := play(status(500), status(200))
		req, err := NewRequestWithContext(ctx, "PUT", "http://example.com", []byte("hello"))
		require.NoError(t, err)
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, ctx, resp.Request.Context())
		for range 20 { // it is not the attempt's
			body, err := resp.Request.GetBody()
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			assert.NoError(t, err)
			assert.Equal(t, "hello", string(data))
		}
		assert.Equal(t, 1, insist.AttemptNumber(resp.Request.Context()))
	})
}

type key struct{}
