package insist_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// unknown hides what a reader is, and so its length.
func unknown(r io.Reader) io.ReadCloser { return io.NopCloser(io.MultiReader(r)) }

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
	{"unknown length", "POST", func(r *http.Request) { r.Body = unknown(strings.NewReader("hello")) }},
	{"unknown length, said so", "PUT", func(r *http.Request) {
		r.Body, r.ContentLength = unknown(strings.NewReader("hello")), -1
	}},
	{"known length", "PUT", func(r *http.Request) {
		r.Body, r.ContentLength = unknown(strings.NewReader("hello")), 5
	}},
	{"unknown length and nothing in it", "POST", func(r *http.Request) { r.Body = unknown(strings.NewReader("")) }},
	{"unknown length and nothing in it, PUT", "PUT", func(r *http.Request) { r.Body = unknown(strings.NewReader("")) }},
	{"GET with a body", "GET", func(r *http.Request) { r.Body = unknown(strings.NewReader("hello")) }},
	{"DELETE with an empty body", "DELETE", func(r *http.Request) { r.Body = unknown(strings.NewReader("")) }},
	{"GetBody, of unknown length", "PUT", func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return unknown(strings.NewReader("hello")), nil }
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

// TestFramingIsAsWithoutUs compares what the server sees of each attempt with
// what the bare transport sends.
func TestFramingIsAsWithoutUs(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		var mu sync.Mutex
		seen := make(map[string][]string)
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			body := digestOf(r.Body)
			mu.Lock()
			defer mu.Unlock()
			seen[r.URL.Path] = append(seen[r.URL.Path], fmt.Sprintf("%s %d %v %s trailer %v, header %v",
				r.Method, r.ContentLength, r.TransferEncoding, body, r.Trailer, r.Header))
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for i, f := range framings {
			t.Run(f.name, func(t *testing.T) {
				for _, policy := range []insist.Policy{{Disabled: true}, eager} {
					req, _ := s.request(t, f.method, fmt.Sprintf("/%d/%v", i, policy.Disabled), nil)
					f.shape(req)
					resp, err := (&insist.RetryTransport{Base: s.base, Policy: policy}).RoundTrip(req)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
				}
				mu.Lock()
				defer mu.Unlock()
				bare := seen[fmt.Sprintf("/%d/true", i)]
				require.Len(t, bare, 1)
				assert.Equal(t, []string{bare[0], bare[0], bare[0], bare[0]}, seen[fmt.Sprintf("/%d/false", i)])
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
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			if hits.next(r) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, digestOf(r.Body)+" "+r.Trailer.Get("X-Sum"))
		})
		for run := range 20 {
			req, _ := s.request(t, "PUT", fmt.Sprintf("/%d", run), nil)
			req.Trailer = http.Header{"X-Sum": nil}
			req.Body = &setsTrailer{slowly: slowly{data: megabyte, step: 32 << 10}, trailer: req.Trailer}
			resp, err := s.over().RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, digest(megabyte)+fmt.Sprint(" ", len(megabyte)), srvText(t, resp))
		}
	})
}

type setsTrailer struct {
	slowly
	trailer http.Header
}

func (s *setsTrailer) Read(p []byte) (int, error) {
	n, err := s.slowly.Read(p)
	s.trailer.Set("X-Sum", fmt.Sprint(s.off))
	return n, err
}

func TestExpectContinue(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		var hits counter
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			n := hits.next(r)
			if p == http11 { // on HTTP/2 the server does not show it
				expects := r.URL.Path != "/417" || n == 1
				assert.Equal(t, expects, r.Header.Get("Expect") != "", "%s, attempt %d", r.URL.Path, n)
			}
			switch {
			case r.URL.Path == "/417" && n == 1:
				w.WriteHeader(http.StatusExpectationFailed)
			case r.URL.Path == "/417" && n == 2:
				io.Copy(io.Discard, r.Body) // lest a reset overtake the answer
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.URL.Path != "/" && n < 3:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				io.WriteString(w, fmt.Sprintf("%s after %d", digestOf(r.Body), n))
			}
		})
		s.base.ExpectContinueTimeout = time.Minute
		for path, want := range map[string]string{"/417": " after 3", "/503": " after 3", "/": " after 1"} {
			for _, u := range uploads {
				req, record := s.request(t, "POST", path, nil)
				hits = counter{}
				req.Header.Set("Expect", "100-continue")
				bodies := u.give(req, megabyte)
				resp, err := s.over().RoundTrip(req)
				require.NoError(t, err, "%s %s %v", path, u.name, record.Calls())
				assert.Equal(t, digest(megabyte)+want, srvText(t, resp), "%s %s", path, u.name)
				assert.Equal(t, "100-continue", req.Header.Get("Expect"), "the caller's header was changed")
				bodies.check(t)
			}
		}
	})
}

// TestTheFirstByteIsSentAsSoonAsItIsProduced has the source wait for the server
// to have its first byte before it gives the next.
func TestTheFirstByteIsSentAsSoonAsItIsProduced(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		got := make(chan byte)
		s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
			var one [1]byte
			for {
				if _, err := io.ReadFull(r.Body, one[:]); err != nil {
					return
				}
				got <- one[0]
			}
		})
		req, _ := s.request(t, "POST", "/", nil)
		body, source := io.Pipe()
		req.Body = body
		go func() {
			for i := range byte(5) {
				source.Write([]byte{i})
				assert.Equal(t, i, <-got)
			}
			source.Close()
		}()
		resp, err := s.over().RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		srvText(t, resp)
	})
}
