package insisttest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

const http2 = "HTTP/2.0"

// each runs a test on a scripted base and on servers with the same script, all
// but the last in virtual time.
func each(t *testing.T, steps []insisttest.Step, test func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, proto string)) {
	t.Run("base", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := insisttest.NewScript(steps...)
			test(t, s, s, "http://example.com", "")
		})
	})
	for _, c := range []struct {
		name, proto string
		tls         bool
	}{{"HTTP1", "HTTP/1.1", false}, {"HTTP1 over TLS", "HTTP/1.1", true}, {"HTTP2", http2, false}, {"HTTP2 over TLS", http2, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, network := insisttest.NewScript(steps...), insisttest.NewListener()
				server := httptest.Server{Listener: network, EnableHTTP2: c.proto == http2, Config: &http.Server{Handler: s, Protocols: new(http.Protocols)}}
				server.Config.Protocols.SetHTTP1(c.proto != http2)
				server.Config.Protocols.SetHTTP2(c.proto == http2)
				server.Config.Protocols.SetUnencryptedHTTP2(c.proto == http2 && !c.tls)
				base := network.Transport()
				base.Protocols = server.Config.Protocols
				if c.tls {
					server.StartTLS()
					base.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
				} else {
					server.Start()
				}
				defer server.Close()
				test(t, s, base, server.URL, c.proto)
			})
		})
	}
	t.Run("socket", func(t *testing.T) {
		s := insisttest.NewScript(steps...)
		server := httptest.NewServer(s)
		defer server.Close()
		base := server.Client().Transport.(*http.Transport)
		base.DisableKeepAlives = true
		test(t, s, base, server.URL, "HTTP/1.1")
	})
}

func request(t *testing.T, method, url, body string) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	return req
}

func TestStepsMeanTheSameOnBaseAndServer(t *testing.T) {
	for _, c := range []struct {
		name    string
		step    insisttest.Step
		status  int    // 0: an error
		body    string // that can be read
		cut     bool
		arrives string
		whole   bool
	}{
		{"status", insisttest.Status(503), 503, "Service Unavailable", false, "hello", true},
		{"no content", insisttest.Status(204), 204, "", false, "hello", true},
		{"JSON", insisttest.JSON(200, `{"a": 1}`), 200, `{"a": 1}`, false, "hello", true},
		{"empty JSON", insisttest.JSON(200, ""), 200, "", false, "hello", true},
		{"reset", insisttest.Reset(), 0, "", false, "", false},
		{"lost", insisttest.Lost(), 0, "", false, "hello", true},
		{"cut", insisttest.CutAfter(3, insisttest.JSON(200, `{"a": 1}`)), 200, `{"a`, true, "hello", true},
		{"cut at once", insisttest.CutAfter(0, insisttest.JSON(200, `{"a": 1}`)), 200, "", true, "hello", true},
		{"cut at the end", insisttest.CutAfter(8, insisttest.JSON(200, `{"a": 1}`)), 200, `{"a": 1}`, false, "hello", true},
		{"cut behind the end", insisttest.CutAfter(99, insisttest.Status(200)), 200, "OK", false, "hello", true},
		{"cut of an error", insisttest.CutAfter(3, insisttest.Lost()), 0, "", false, "hello", true},
		{"of one's own", early, 200, "early", false, "hello", true},
		{"of one's own, unknown length, cut", insisttest.CutAfter(2, early), 200, "ea", true, "hello", true},
		{"nothing", func(*http.Request) (*http.Response, error) { return nil, errors.New("x") }, 0, "", false, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, []insisttest.Step{c.step}, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, proto string) {
				resp, err := base.RoundTrip(request(t, "POST", url+"/p?q=1", "hello"))
				a := s.Arrivals()[0]
				assert.Equal(t, "POST /p?q=1", a.Method+" "+a.URI)
				assert.Equal(t, c.arrives, a.Body)
				assert.Equal(t, c.whole, a.Whole)
				if c.status == 0 {
					assert.Error(t, err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, c.status, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.body, string(body))
				switch {
				case !c.cut:
					assert.NoError(t, err)
				case proto == http2:
					assert.ErrorContains(t, err, "stream error")
				default:
					assert.Equal(t, io.ErrUnexpectedEOF, err)
				}
				resp.Body.Close()
			})
		})
	}
}

// early answers before it has read the request, with a body of unknown length.
func early(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: &insisttest.Body{Reader: strings.NewReader("early")},
	}, nil
}

func TestAResetIsOne(t *testing.T) {
	for _, step := range []insisttest.Step{insisttest.Reset(), insisttest.Lost()} {
		each(t, []insisttest.Step{step}, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, proto string) {
			req := request(t, "GET", url, "")
			req.Method = ""
			_, err := base.RoundTrip(req)
			assert.Equal(t, "GET", s.Arrivals()[0].Method)
			assert.True(t, s.Arrivals()[0].Whole, "without a body")
			if proto == http2 {
				assert.ErrorContains(t, err, "stream error")
			} else {
				assert.ErrorIs(t, err, syscall.ECONNRESET)
			}
		})
	}
}

func TestStepsInOrderTheLastForEver(t *testing.T) {
	steps := []insisttest.Step{
		insisttest.Status(503, "Retry-After", "1"), insisttest.Lost(), insisttest.JSON(200, "{}", "X-A", "1", "X-A", "2", "Content-Type", "text/json"),
	}
	each(t, steps, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, _ string) {
		get := func() (http.Header, int) {
			resp, err := base.RoundTrip(request(t, "GET", url, ""))
			if err != nil {
				return nil, 0
			}
			resp.Body.Close()
			return resp.Header, resp.StatusCode
		}
		header, code := get()
		assert.Equal(t, 503, code)
		assert.Equal(t, "1", header.Get("Retry-After"))
		_, code = get()
		assert.Zero(t, code)
		for range 3 {
			header, code = get()
			assert.Equal(t, 200, code)
			assert.Equal(t, []string{"1", "2"}, header["X-A"])
			assert.Equal(t, "text/json", header.Get("Content-Type"))
		}
		assert.Len(t, s.Arrivals(), 5)
	})
}

func TestNoSteps(t *testing.T) {
	each(t, nil, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, _ string) {
		req := request(t, "HEAD", url, "")
		req.Header.Set("X-A", "1")
		resp, err := base.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, int64(2), resp.ContentLength)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Empty(t, body)
		a := s.Arrivals()[0]
		assert.True(t, a.Whole)
		a.Header.Set("X-A", "2")
		assert.Equal(t, "1", s.Arrivals()[0].Header.Get("X-A"), "a copy")
	})
}

func TestConcurrentRequests(t *testing.T) {
	steps := []insisttest.Step{insisttest.Status(503), insisttest.Lost(), insisttest.Status(200)}
	each(t, steps, func(t *testing.T, s *insisttest.Script, base http.RoundTripper, url, _ string) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		for range 20 {
			wg.Go(func() {
				code := 0
				if resp, err := base.RoundTrip(request(t, "POST", url, "hello")); err == nil {
					resp.Body.Close()
					code = resp.StatusCode
				}
				s.Waits()
				mu.Lock()
				defer mu.Unlock()
				got[code]++
			})
		}
		wg.Wait()
		assert.Equal(t, map[int]int{0: 1, 503: 1, 200: 18}, got)
		for _, a := range s.Arrivals() {
			assert.Equal(t, "hello", a.Body)
			assert.True(t, a.Whole)
		}
	})
}

func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := insisttest.NewScript(insisttest.After(time.Minute, insisttest.Status(503)), insisttest.Status(200))
		assert.Empty(t, s.Waits())
		for range 3 {
			s.RoundTrip(request(t, "GET", "http://x", ""))
			time.Sleep(time.Second)
		}
		assert.Equal(t, []time.Duration{61 * time.Second, time.Second}, s.Waits())
	})
}
