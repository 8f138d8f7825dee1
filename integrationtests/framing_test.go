package integrationtests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

var framings = []struct {
	name   string
	method string
	shape  func(*http.Request)
}{
	{"no body", "POST", func(*http.Request) {}},
	{"NoBody", "POST", func(r *http.Request) { r.Body = http.NoBody }},
	{"NoBody and GET", "GET", func(r *http.Request) { r.Body = http.NoBody }},
	{"in memory", "POST", func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), 5
	}},
	{"in memory, of unknown length", "POST", func(r *http.Request) {
		r.Body = io.NopCloser(bytes.NewBufferString("hello"))
	}},
	{"unknown length", "POST", func(r *http.Request) { r.Body = servertest.Unknown(strings.NewReader("hello")) }},
	{"unknown length, said so", "PUT", func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Unknown(strings.NewReader("hello")), -1
	}},
	{"known length", "PUT", func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Unknown(strings.NewReader("hello")), 5
	}},
	{"unknown length and nothing in it", "POST", func(r *http.Request) { r.Body = servertest.Unknown(strings.NewReader("")) }},
	{"unknown length and nothing in it, PUT", "PUT", func(r *http.Request) { r.Body = servertest.Unknown(strings.NewReader("")) }},
	{"GET with a body", "GET", func(r *http.Request) { r.Body = servertest.Unknown(strings.NewReader("hello")) }},
	{"DELETE with an empty body", "DELETE", func(r *http.Request) { r.Body = servertest.Unknown(strings.NewReader("")) }},
	{"GetBody, of unknown length", "PUT", func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return servertest.Unknown(strings.NewReader("hello")), nil }
		r.Body, _ = r.GetBody()
	}},
	{"trailers", "POST", func(r *http.Request) {
		r.Trailer = http.Header{"X-Sum": nil}
		r.Body = &atEnd{Reader: strings.NewReader("hello"), do: func() { r.Trailer.Set("X-Sum", "whole") }}
	}},
	{"trailers and GetBody", "PUT", func(r *http.Request) {
		r.Trailer = http.Header{"X-Sum": nil}
		r.GetBody = func() (io.ReadCloser, error) {
			return &atEnd{Reader: strings.NewReader("hello"), do: func() { r.Trailer.Set("X-Sum", "whole") }}, nil
		}
		r.Body, _ = r.GetBody()
	}},
	{"trailers of a body in memory", "POST", func(r *http.Request) {
		r.Trailer = http.Header{"X-Sum": {"whole"}}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hello")), -1
	}},
}

// atEnd does something before it says that the body is over.
type atEnd struct {
	io.Reader
	do func()
}

func (a *atEnd) Close() error { return nil }

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err == io.EOF {
		a.do()
	}
	return n, err
}

// sendings are policies under which the attempts' bodies are made in different ways.
var sendings = map[string]func(*insist.Policy){
	"bare":     func(p *insist.Policy) { p.Disabled = true },
	"plain":    func(*insist.Policy) {},
	"timed":    func(p *insist.Policy) { p.PerAttemptTimeout = time.Hour },
	"once":     func(p *insist.Policy) { p.MaxAttempts, p.PerAttemptTimeout = 1, time.Hour },
	"hedged":   func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: time.Hour} },
	"prepared": func(p *insist.Policy) { p.Prepare = func(*http.Request, *http.Response, error) error { return nil } },
}

// TestFramingIsAsWithoutUs compares what the server sees of each attempt with
// what the bare transport sends.
func TestFramingIsAsWithoutUs(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var mu sync.Mutex
		seen := make(map[string][]string)
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			body := servertest.DigestOf(r.Body)
			mu.Lock()
			defer mu.Unlock()
			seen[r.URL.Path] = append(seen[r.URL.Path], fmt.Sprintf("%s %d %v %s trailer %v, header %v",
				r.Method, r.ContentLength, r.TransferEncoding, body, r.Trailer, r.Header))
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for i, f := range framings {
			t.Run(f.name, func(t *testing.T) {
				for name, edit := range sendings {
					policy := eager
					edit(&policy)
					req, _ := requestTo(t, s, f.method, fmt.Sprintf("/%d/%s", i, name), nil)
					f.shape(req)
					resp, err := (&insist.RetryTransport{Base: s.Base, Policy: policy}).RoundTrip(req)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
				}
				mu.Lock()
				defer mu.Unlock()
				bare := seen[fmt.Sprintf("/%d/bare", i)]
				require.Len(t, bare, 1)
				for name, edit := range sendings {
					policy := eager
					if edit(&policy); !policy.Disabled {
						assert.Equal(t, slices.Repeat(bare, policy.MaxAttempts), seen[fmt.Sprintf("/%d/%s", i, name)], name)
					}
				}
				if strings.Contains(f.name, "trailers") {
					assert.Contains(t, bare[0], "X-Sum:[whole]")
				}
			})
		}
	})
}

// TestTrailersThatChangeWhileTheNextAttemptStarts has the source set a trailer,
// as it may, in a Read that goes on while the next attempt begins.
func TestTrailersThatChangeWhileTheNextAttemptStarts(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			if hits.Next(r) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, servertest.DigestOf(r.Body)+" "+r.Trailer.Get("X-Sum"))
		})
		for run := range 20 {
			req, _ := requestTo(t, s, "PUT", fmt.Sprintf("/%d", run), nil)
			req.Trailer = http.Header{"X-Sum": nil}
			req.Body = &setsTrailer{Slowly: servertest.Slowly{Data: servertest.Megabyte, Step: 32 << 10}, trailer: req.Trailer}
			resp, err := over(s).RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, servertest.Digest(servertest.Megabyte)+fmt.Sprint(" ", len(servertest.Megabyte)), servertest.ReadAndClose(t, resp))
		}
	})
}

type setsTrailer struct {
	servertest.Slowly
	trailer http.Header
}

func (s *setsTrailer) Read(p []byte) (int, error) {
	n, err := s.Slowly.Read(p)
	s.trailer.Set("X-Sum", fmt.Sprint(s.Off))
	return n, err
}

func TestExpectContinue(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			n := hits.Next(r)
			if p == servertest.HTTP1 { // on HTTP/2 the server does not show it
				expects := r.URL.Path != "/417" || n == 1
				assert.Equal(t, expects, r.Header.Get("Expect") != "", "%s, attempt %d", r.URL.Path, n)
			}
			switch {
			case r.URL.Path == "/417" && n == 1:
				w.WriteHeader(http.StatusExpectationFailed)
			case r.URL.Path == "/417" && n == 2:
				io.Copy(io.Discard, r.Body) // so that no reset overtakes the response
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.URL.Path != "/" && n < 3:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				io.WriteString(w, fmt.Sprintf("%s after %d", servertest.DigestOf(r.Body), n))
			}
		})
		s.Base.ExpectContinueTimeout = time.Minute
		for path, want := range map[string]string{"/417": " after 3", "/503": " after 3", "/": " after 1"} {
			for _, u := range servertest.Uploads {
				req, record := requestTo(t, s, "POST", path, nil)
				hits = servertest.Counter{}
				req.Header.Set("Expect", "100-continue")
				bodies := u.Give(req, servertest.Megabyte)
				resp, err := over(s).RoundTrip(req)
				require.NoError(t, err, "%s %s %v", path, u.Name, record.Calls())
				assert.Equal(t, servertest.Digest(servertest.Megabyte)+want, servertest.ReadAndClose(t, resp), "%s %s", path, u.Name)
				assert.Equal(t, "100-continue", req.Header.Get("Expect"), "the caller's header was changed")
				bodies.Check(t)
			}
		}
	})
}

// TestTheFirstByteIsSentAsSoonAsItIsProduced has the source wait for the server
// to have its first byte before it gives the next.
func TestTheFirstByteIsSentAsSoonAsItIsProduced(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		got := make(chan byte)
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			var one [1]byte
			for {
				if _, err := io.ReadFull(r.Body, one[:]); err != nil {
					return
				}
				got <- one[0]
			}
		})
		req, _ := requestTo(t, s, "POST", "/", nil)
		body, source := io.Pipe()
		req.Body = body
		go func() {
			for i := range byte(5) {
				source.Write([]byte{i})
				assert.Equal(t, i, <-got)
			}
			source.Close()
		}()
		resp, err := over(s).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		servertest.ReadAndClose(t, resp)
	})
}
