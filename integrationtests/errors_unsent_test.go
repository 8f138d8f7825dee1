package integrationtests

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// TestARequestThatCantBeSent gets net/http's own error, once, and its body is
// closed.
func TestARequestThatCantBeSent(t *testing.T) {
	spoil := map[string]func(*http.Request){
		"nil URL":       func(r *http.Request) { r.URL = nil },
		"nil Header":    func(r *http.Request) { r.Header = nil },
		"scheme":        func(r *http.Request) { r.URL.Scheme = "gopher" },
		"no host":       func(r *http.Request) { r.URL.Host = "" },
		"header name":   func(r *http.Request) { r.Header["a b"] = []string{"c"} },
		"header value":  func(r *http.Request) { r.Header["A"] = []string{"b\nc"} },
		"method":        func(r *http.Request) { r.Method = "A B" },
		"trailer":       func(r *http.Request) { r.Trailer = http.Header{"a b": nil} },
		"context's end": func(r *http.Request) { *r = *r.WithContext(canceled()) },
	}
	s := servertest.HTTP1.Start(t, func(http.ResponseWriter, *http.Request) { t.Error("was sent") })
	for name, do := range spoil {
		for _, u := range servertest.Uploads {
			req, _ := requestTo(t, s, "POST", "/", nil)
			u.Give(req, servertest.Megabyte)
			do(req)
			_, bare := s.Base.RoundTrip(req)
			bodies := u.Give(req, servertest.Megabyte)
			var calls atomic.Int32
			count := counted{s.Base, &calls}
			_, err := (&insist.RetryTransport{Base: count, Policy: eager}).RoundTrip(req)
			require.Error(t, err, name)
			if name != "context's end" {
				assert.EqualError(t, err, bare.Error())
				assert.EqualValues(t, 1, calls.Load(), name)
			} else {
				assert.ErrorIs(t, err, context.Canceled)
				assert.Zero(t, calls.Load())
			}
			bodies.Check(t)
		}
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

type counted struct {
	http.RoundTripper
	calls *atomic.Int32
}

func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.RoundTripper.RoundTrip(req)
}

// TestNothingWrittenIsProof: the connection turns out to be dead when the
// request is about to be written, after net/http has told its trace that the
// headers are.
func TestNothingWrittenIsProof(t *testing.T) {
	var hits servertest.Counter
	var dead atomic.Pointer[deadConn]
	s := servertest.HTTP1.Start(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Next(r)
		io.WriteString(w, servertest.DigestOf(r.Body))
	})
	s.Base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		d := &deadConn{Conn: c}
		dead.Store(d)
		return d, err
	}
	for _, body := range []io.Reader{nil, strings.NewReader("hello"), servertest.Unknown(strings.NewReader("hello"))} {
		req, _ := requestTo(t, s, "GET", "/", nil)
		resp, err := over(s).RoundTrip(req)
		require.NoError(t, err)
		servertest.ReadAndClose(t, resp)
		before := hits.Count("/post")
		dead.Load().dead.Store(true)
		req, record := requestTo(t, s, "POST", "/post", body)
		resp, err = over(s).RoundTrip(req)
		require.NoError(t, err, "%v", record.Calls())
		servertest.ReadAndClose(t, resp)
		assert.Equal(t, before+1, hits.Count("/post"))
	}
}

// deadConn is a connection that can't be written to, and does not know yet.
type deadConn struct {
	net.Conn
	dead atomic.Bool
}

// Close leaves a Read that waits alone until the server is closed. net/http takes
// whichever error comes first, and one of a Read does not tell what was written.
func (c *deadConn) Close() error {
	if c.dead.Load() {
		return nil
	}
	return c.Conn.Close()
}

func (c *deadConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return c.Conn.Write(p)
}

// TestTheCallersRequestIsNotChanged, not one field of it.
func TestTheCallersRequestIsNotChanged(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusExpectationFailed)
		})
		for _, u := range servertest.Uploads {
			req, _ := requestTo(t, s, "POST", "/path?query", nil)
			u.Give(req, servertest.Megabyte)
			req.Header = http.Header{"A": {"b"}, "Expect": {"100-continue"}}
			req.Trailer = http.Header{"X-Sum": {"c"}}
			getBody := req.GetBody
			before := *req
			header, trailer, address := req.Header.Clone(), req.Trailer.Clone(), *req.URL
			resp, err := over(s, func(p *insist.Policy) {
				p.Prepare = func(r *http.Request, _ *http.Response, _ error) error {
					r.Header.Set("A", "changed")
					r.URL.RawQuery, r.Host = "changed", "changed.test"
					return nil
				}
			}).RoundTrip(req)
			require.NoError(t, err)
			servertest.ReadAndClose(t, resp)
			assert.Equal(t, "changed", resp.Request.Header.Get("A"), "what was sent last")
			assert.Equal(t, "changed", resp.Request.URL.RawQuery)
			assert.Equal(t, req.Context(), resp.Request.Context())
			assert.True(t, req.Body == resp.Request.Body)
			assert.Equal(t, header, req.Header)
			assert.Equal(t, trailer, req.Trailer)
			assert.Equal(t, address, *req.URL)
			assert.True(t, req.Body == before.Body && req.URL == before.URL, "another body or URL")
			assert.Equal(t, getBody == nil, req.GetBody == nil)
			req.GetBody, before.GetBody = nil, nil // functions can't be compared
			assert.Equal(t, before, *req)
		}
	})
}

// TestTheRequestOfTheResponse is what was sent last, under the caller's own context, however
// the attempt was sent.
func TestTheRequestOfTheResponse(t *testing.T) {
	guarded := func(p *insist.Policy) { p.Idempotent = func(*http.Request) bool { return false } }
	for name, edit := range map[string]func(*insist.Policy){
		"plain":       func(*insist.Policy) {},
		"guarded":     guarded,
		"one attempt": func(p *insist.Policy) { p.MaxAttempts = 1; guarded(p) },
		"timed":       func(p *insist.Policy) { p.PerAttemptTimeout = time.Hour },
		"looked into": func(p *insist.Policy) { p.RetryableBody = insist.JSONField[any]("/x", nil) },
		"read whole":  func(p *insist.Policy) { p.MaxWholeBytes = 1 << 20 },
		"bounded":     func(p *insist.Policy) { p.BodyIdleTimeout = time.Hour },
		"hedged":      func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: time.Hour} },
		"with a key":  func(p *insist.Policy) { guarded(p); p.IdempotencyKey = func(*http.Request) string { return "k" } },
		"resumable":   func(p *insist.Policy) { p.ResumeDownloads = true },
	} {
		for _, layer := range []string{"direct", "a layer that clones"} {
			servertest.Each(t, func(t *testing.T, p servertest.Proto) {
				var hits servertest.Counter
				s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					if hits.Next(r)%3 == 1 {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					io.WriteString(w, "{}")
				})
				for _, method := range []string{"GET", "PUT", "POST"} {
					for _, body := range []func() io.Reader{
						func() io.Reader { return nil }, func() io.Reader { return strings.NewReader("hello") },
						func() io.Reader { return io.MultiReader(strings.NewReader("hello")) },
					} {
						req := request(t, method, s.URL+"/", body()) // without a record, it may take the fast path
						req.Header.Set("A", "b")
						header, given := req.Header.Clone(), req.Body
						rt := over(s, edit)
						rt.Base = layers[layer](rt.Base)
						resp, err := rt.RoundTrip(req)
						require.NoError(t, err)
						got := resp.Request
						assert.Equal(t, req.Context(), got.Context(), name)
						assert.NoError(t, got.Context().Err(), name)
						assert.Equal(t, 1, insist.AttemptNumber(got.Context()))
						if p == servertest.HTTP1 && layer == "direct" { // on HTTP/2, net/http may set a copy with a body of its own
							assert.True(t, got.Body == given, "%s: %s with another body", name, method)
						}
						assert.Equal(t, req.GetBody == nil, got.GetBody == nil, name)
						if name == "with a key" {
							header.Set("Idempotency-Key", "k")
						}
						assert.Equal(t, header, got.Header, name)
						servertest.ReadAndClose(t, resp)
					}
				}
			})
		}
	}
}

// TestTheBodyIsClosedWhateverHappens to the call.
func TestTheBodyIsClosedWhateverHappens(t *testing.T) {
	own := errors.New("from Prepare")
	for _, u := range servertest.Uploads {
		req, _ := http.NewRequest("PUT", "http://"+closedPort, nil)
		bodies := u.Give(req, servertest.Megabyte)
		transport := insist.RetryTransport{Base: &http.Transport{}, Policy: eager}
		_, err := transport.RoundTrip(req)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, u.Name)
		bodies.Check(t)

		transport.Policy.Prepare = func(*http.Request, *http.Response, error) error { return own }
		bodies = u.Give(req, servertest.Megabyte)
		_, err = transport.RoundTrip(req)
		require.ErrorIs(t, err, own)
		bodies.Check(t)

		transport.Policy.OnAttempt = func(context.Context, insist.Attempt) { panic(own) }
		bodies = u.Give(req, servertest.Megabyte)
		require.PanicsWithValue(t, own, func() { transport.RoundTrip(req) })
		bodies.Check(t)
	}
}
