package insist

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marks changes in place what it is given, contract or not, as many bases do.
type marks struct {
	http.RoundTripper
	change func(*http.Request)
}

func (m marks) RoundTrip(r *http.Request) (*http.Response, error) {
	m.change(r)
	return m.RoundTripper.RoundTrip(r)
}

// changesInPlace is what some bases do to a request with this header.
var changesInPlace = []struct {
	name   string
	header http.Header
	change func(*http.Request)
}{
	{"adds a header", http.Header{"A": {"b"}}, func(r *http.Request) { r.Header.Add("Authorization", "x") }},
	{"adds a value", http.Header{"A": {"b"}}, func(r *http.Request) { r.Header.Add("A", "c") }},
	{"adds to many headers", manyHeaders(), func(r *http.Request) { r.Header.Add("Authorization", "x") }},
	{"adds to no header", http.Header{}, func(r *http.Request) { r.Header.Add("Authorization", "x") }},
	{"makes a map", nil, func(r *http.Request) {
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Add("Authorization", "x")
	}},
	{"drops a header", http.Header{"A": {"b"}}, func(r *http.Request) { r.Header.Del("A") }},
	{"adds to the query", http.Header{"A": {"b"}}, func(r *http.Request) { r.URL.RawQuery += "&key=x" }},
	{"adds to the path", http.Header{}, func(r *http.Request) { r.URL.Path += "/v1" }},
	{"another host", http.Header{}, func(r *http.Request) { r.URL.Host = "proxy." + r.URL.Host }},
	{"another URL", http.Header{}, func(r *http.Request) { r.URL = cloneURL(r.URL); r.URL.Path += "/v1" }},
	{"another scheme", http.Header{}, func(r *http.Request) {
		if r.URL.Scheme == "http" {
			r.URL.Scheme, r.URL.Path = "https", "/secure"+r.URL.Path
		}
	}},
	{"moves the user", http.Header{}, func(r *http.Request) {
		if u := r.URL.User; u != nil {
			r.URL.User = nil
			r.SetBasicAuth(u.Username(), "")
		}
	}},
	{"moves the method", http.Header{}, func(r *http.Request) {
		if r.Method != "POST" {
			r.Header.Set("X-HTTP-Method-Override", r.Method)
			r.Method = "POST"
		}
	}},
	{"changes a value in its slice", http.Header{"A": {"b"}, "C": {"d", "e"}}, func(r *http.Request) {
		r.Header["A"][0] += "+"
		r.Header["C"][1] += "+"
	}},
	{"adds to the length", http.Header{}, func(r *http.Request) { r.ContentLength += 10 }},
	{"adds an encoding", http.Header{}, func(r *http.Request) { r.TransferEncoding = append(r.TransferEncoding, "x") }},
	{"adds a body", http.Header{}, func(r *http.Request) {
		if r.Body == nil {
			r.Body = io.NopCloser(strings.NewReader("{}"))
		}
	}},
}

func manyHeaders() http.Header {
	many := http.Header{}
	for _, key := range "ABCDEFGHIJKLMNOP" {
		many.Set("X-"+string(key), "given")
	}
	return many
}

// TestEachAttemptStartsFromWhatTheCallerGave, whatever a base did to it in place.
func TestEachAttemptStartsFromWhatTheCallerGave(t *testing.T) {
	for _, c := range changesInPlace {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, edit := range []func(*Policy){
				func(*Policy) {},
				func(p *Policy) { p.PerAttemptTimeout = time.Hour },
				func(p *Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { return nil } },
			} {
				b := script(status(503), status(503), status(200))
				p := Policy{Backoff: Constant(0)}
				edit(&p)
				var body io.Reader
				if method == "PUT" {
					body = io.MultiReader(strings.NewReader("hello"))
				}
				req := request(t, method, "http://user@x/path?query", body)
				if req.Header = c.header.Clone(); c.header == nil {
					req.Header = nil
				}
				var heads []string
				_, err := (&RetryTransport{Base: marks{b, func(r *http.Request) {
					c.change(r)
					heads = append(heads, fmt.Sprint(r.Method, r.URL, r.ContentLength, r.TransferEncoding))
				}}, Policy: p}).RoundTrip(req)
				require.NoError(t, err, c.name)
				seen := b.Arrivals()
				require.Len(t, seen, 3, c.name)
				for i, a := range seen[1:] {
					assert.Equal(t, seen[0].Header, a.Header, "%s %s", c.name, method)
					assert.Equal(t, heads[0], heads[i+1], "%s %s", c.name, method)
					assert.Equal(t, seen[0].Body, a.Body, "%s %s", c.name, method)
				}
			}
		}
	}
}

// TestWithoutHeaderOrURL: net/http refuses such a request; golang.org/x/net/http2 and
// bases in tests take it.
func TestWithoutHeaderOrURL(t *testing.T) {
	ctx, record := WithRecord(t.Context())
	for _, method := range []string{"GET", "POST"} {
		for _, edit := range []func(*Policy){
			func(*Policy) {},
			func(p *Policy) { p.PerAttemptTimeout, p.ResumeDownloads = time.Hour, true },
			func(p *Policy) {
				p.Prepare = func(r *http.Request, _ *http.Response, _ error) error { r.Header.Set("A", "b"); return nil }
			},
		} {
			n := 0
			b := roundTripper(func(*http.Request) (*http.Response, error) {
				if n++; n < 3 {
					return response(503), nil
				}
				return response(200), nil
			})
			p := Policy{Backoff: Constant(0), Budget: &Budget{}}
			edit(&p)
			resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip((&http.Request{Method: method}).WithContext(ctx))
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, 3, n)
		}
	}
	assert.Len(t, record.Calls(), 6)
	_, err := (&RetryTransport{Policy: Policy{Backoff: Constant(0)}}).RoundTrip(&http.Request{Method: "GET"})
	assert.ErrorContains(t, err, "http: nil Request.URL")
}

// TestPrepareSeesWhatTheLastAttemptMet, and its changes are followed.
func TestPrepareSeesWhatTheLastAttemptMet(t *testing.T) {
	type met struct {
		status int
		nonce  string
		err    error
	}
	var seen []met
	b := script(status(401, "Nonce", "n1"), fails(errLost), status(307, "Location", "/next"))
	ctx, record := WithRecord(t.Context())
	rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0),
		Prepare: func(r *http.Request, last *http.Response, err error) error {
			m := met{err: err}
			if last != nil {
				m.status, m.nonce = last.StatusCode, last.Header.Get("Nonce")
				assert.Equal(t, http.NoBody, last.Body)
			}
			seen = append(seen, m)
			r.URL.Host = "second.test"
			return nil
		}}}
	resp, err := rt.RoundTrip(request(t, "GET", "http://first.test/a", nil).WithContext(ctx))
	require.NoError(t, err)
	assert.Equal(t, []met{{401, "n1", nil}, {0, "", errLost}}, seen)
	assert.Equal(t, "http://second.test/next", resp.Header.Get("Location"), "http.Client would start from the first host")
	assert.Equal(t, "second.test", resp.Request.URL.Host)
	var hosts []string
	for _, a := range record.Calls()[0] {
		hosts = append(hosts, a.Host)
	}
	assert.Equal(t, []string{"first.test", "second.test", "second.test"}, hosts)
}

// TestASlowPrepareIsBounded by MaxElapsed and by the context.
func TestASlowPrepareIsBounded(t *testing.T) {
	for reason, within := range map[Reason]time.Duration{ReasonWait: time.Hour, ReasonContext: 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := script(status(503))
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			ctx, record := WithRecord(ctx)
			_, err := (&RetryTransport{Base: b, Policy: Policy{
				MaxElapsed: 5 * time.Second, Backoff: Constant(time.Second),
				Prepare: func(*http.Request, *http.Response, error) error { time.Sleep(20 * time.Second); return nil },
			}}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, reason, e.Reason)
			assert.Equal(t, 503, e.Status)
			assert.Len(t, b.Arrivals(), 1)
			assert.Equal(t, reason, record.Calls()[0][0].Reason)
		})
	}
}

// TestSlowHooksAreBounded by MaxElapsed, whichever they are.
func TestSlowHooksAreBounded(t *testing.T) {
	slow := func() { time.Sleep(20 * time.Second) }
	for name, edit := range map[string]func(*Policy, *http.Request){
		"OnAttempt": func(p *Policy, _ *http.Request) { p.OnAttempt = func(context.Context, Attempt) { slow() } },
		"Backoff":   func(p *Policy, _ *http.Request) { p.Backoff = func(int) time.Duration { slow(); return 0 } },
		"GetBody": func(_ *Policy, r *http.Request) {
			body := func() io.ReadCloser { return io.NopCloser(struct{ io.Reader }{strings.NewReader("data")}) }
			r.Body, r.GetBody = body(), func() (io.ReadCloser, error) { slow(); return body(), nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := script(status(503))
				p := Policy{MaxElapsed: 5 * time.Second}
				req := request(t, "PUT", "http://x/", nil)
				edit(&p, req)
				_, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(req)
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, ReasonWait, e.Reason)
				assert.Len(t, b.Arrivals(), 1)
				if name == "GetBody" {
					return
				}
				calls := 0
				ctx, record := WithRecord(t.Context())
				err = Run(ctx, p, func(context.Context) error { calls++; return errLost })
				assert.ErrorIs(t, err, errLost)
				assert.Equal(t, 1, calls)
				assert.Equal(t, ReasonWait, record.Calls()[0][0].Reason)
			})
		})
	}
}

// TestPolicyFor chooses per request, without an allocation.
func TestPolicyFor(t *testing.T) {
	once := &Policy{MaxAttempts: 1}
	b := script(status(503))
	rt := &RetryTransport{Base: b, Policy: Policy{Backoff: Constant(0)}, PolicyFor: func(r *http.Request) *Policy {
		if r.Method == "POST" {
			return once
		}
		return nil
	}}
	for method, want := range map[string]int{"GET": 3, "POST": 1} {
		before := len(b.Arrivals())
		_, err := rt.RoundTrip(request(t, method, "http://x/", nil))
		require.NoError(t, err)
		assert.Len(t, b.Arrivals(), before+want, method)
	}
	ctx := EditPolicy(t.Context(), func(p *Policy) { p.MaxAttempts++; p.Backoff = Constant(0) })
	before := len(b.Arrivals())
	_, err := rt.RoundTrip(request(t, "POST", "http://x/", nil).WithContext(ctx))
	require.NoError(t, err)
	assert.Len(t, b.Arrivals(), before+2, "an edit is made to the chosen policy")
}

// TestAPanicBeforeTheFirstAttemptClosesTheBody.
func TestAPanicBeforeTheFirstAttemptClosesTheBody(t *testing.T) {
	boom := func() { panic("boom") }
	for name, c := range map[string]struct {
		rt   RetryTransport
		edit func(*Policy)
	}{
		"PolicyFor": {RetryTransport{PolicyFor: func(*http.Request) *Policy { boom(); return nil }}, nil},
		"edit":      {RetryTransport{}, func(*Policy) { boom() }},
	} {
		body := &closes{Reader: strings.NewReader("x")}
		c.rt.Base = script(status(200))
		req := request(t, "POST", "http://x/", body)
		if c.edit != nil {
			req = req.WithContext(EditPolicy(t.Context(), c.edit))
		}
		assert.Panics(t, func() { c.rt.RoundTrip(req) }, name)
		assert.Equal(t, 1, body.n, name)
	}
}

type closes struct {
	io.Reader
	n int
}

func (c *closes) Close() error { c.n++; return nil }

// TestARequestStaysGuardedWhateverTheBaseDoes to its headers: how net/http is kept from
// repeating it depends on the headers that the caller gave.
func TestARequestStaysGuardedWhateverTheBaseDoes(t *testing.T) {
	for name, change := range map[string]func(http.Header){
		"moves the key": func(h http.Header) { h.Del("Idempotency-Key"); h.Set("Request-Id", "1") },
		"nothing":       func(http.Header) {},
	} {
		var repeatable []bool
		b := script(status(503), status(503), status(200))
		rt := &RetryTransport{
			Base: marks{b, func(r *http.Request) {
				repeatable = append(repeatable, r.GetBody != nil)
				change(r.Header)
			}},
			Policy: Policy{Backoff: Constant(0), Idempotent: func(*http.Request) bool { return false }},
		}
		req := request(t, "POST", "http://x/", strings.NewReader("hello"))
		req.Header.Set("Idempotency-Key", "1")
		_, err := rt.RoundTrip(req)
		require.NoError(t, err, name)
		assert.Equal(t, []bool{false, false, false}, repeatable, name)
	}
}

// TestARedirectOfABaseThatReplacesTheURL is relative to where the base sent the request.
func TestARedirectOfABaseThatReplacesTheURL(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		b := script(status(303, "Location", "/next"), status(200))
		client := &http.Client{Transport: &RetryTransport{Base: marks{b, func(r *http.Request) {
			if r.URL.Path == "/" {
				r.URL = cloneURL(r.URL)
				r.URL.Host = "second.test"
			}
		}}}}
		resp, err := client.Do(request(t, method, "http://first.test/", nil))
		require.NoError(t, err, method)
		assert.Equal(t, "http://second.test/next", resp.Request.URL.String(), method)
	}
}

// TestTheBudgetOfABaseThatChangesTheHost is that of the host that the caller gave.
func TestTheBudgetOfABaseThatChangesTheHost(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PUT"} {
		var body io.Reader
		if method == "PUT" {
			body = strings.NewReader("hello")
		}
		b := script(status(200), status(200), status(503), status(503), status(200))
		rt := &RetryTransport{
			Base:   marks{b, func(r *http.Request) { r.URL.Host = "proxy.test" }},
			Policy: Policy{Backoff: Constant(0), Budget: &Budget{Reserve: -1, PerSuccess: 1}},
		}
		for range 3 {
			resp, err := rt.RoundTrip(request(t, method, "http://x/", body))
			require.NoError(t, err, method)
			assert.Equal(t, 200, resp.StatusCode, method)
		}
	}
}
