package integrationtests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// signer is a RoundTripper that hashes copies of a request's body, and then sends it.
type signer struct {
	base  http.RoundTripper
	hash  func(req *http.Request) (string, error)
	clone bool
}

func (s signer) RoundTrip(req *http.Request) (*http.Response, error) {
	sum, err := s.hash(req)
	if err != nil {
		req.Body.Close()
		return nil, err
	}
	signed := *req
	if s.clone {
		signed = *req.Clone(req.Context())
	}
	signed.Header = req.Header.Clone()
	signed.Header.Set("Signed", sum)
	return s.base.RoundTrip(&signed)
}

func hashCopies(n int, close bool) func(*http.Request) (string, error) {
	return func(req *http.Request) (sum string, err error) {
		for range n {
			body, err := req.GetBody()
			if err != nil {
				return "", err
			}
			sum = servertest.DigestOf(body)
			if close {
				body.Close()
			}
		}
		return sum, nil
	}
}

// challenged is a RoundTripper that sends copies only, two of them, and forgets Body, as
// icholy/digest does.
type challenged struct{ base http.RoundTripper }

func (c challenged) RoundTrip(req *http.Request) (*http.Response, error) {
	for sum := ""; ; {
		signed := req.Clone(req.Context())
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		if signed.Body = body; sum != "" {
			signed.Header.Set("Signed", sum)
		}
		resp, err := c.base.RoundTrip(signed)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if sum, err = hashCopies(1, true)(req); err != nil {
			return nil, err
		}
	}
}

// TestSigners: what stands between a RetryTransport and the transport may read copies of
// the body, which leave Body alone, on every attempt.
func TestSigners(t *testing.T) {
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"one copy":           func(b http.RoundTripper) http.RoundTripper { return signer{b, hashCopies(1, true), false} },
		"one, into a clone":  func(b http.RoundTripper) http.RoundTripper { return signer{b, hashCopies(1, true), true} },
		"four copies":        func(b http.RoundTripper) http.RoundTripper { return signer{b, hashCopies(4, true), false} },
		"four, none closed":  func(b http.RoundTripper) http.RoundTripper { return signer{b, hashCopies(4, false), true} },
		"answer a challenge": func(b http.RoundTripper) http.RoundTripper { return challenged{b} },
	} {
		t.Run(name, func(t *testing.T) {
			servertest.Each(t, func(t *testing.T, p servertest.Proto) { testSigner(t, p, wrap) })
		})
	}
}

func testSigner(t *testing.T, p servertest.Proto, wrap func(http.RoundTripper) http.RoundTripper) {
	var hits servertest.Counter
	s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
		fault := ""
		switch {
		case strings.HasPrefix(r.URL.Path, "/well"):
		case hits.Next(r) == 1:
			fault = strings.Split(r.URL.Path, "/")[1]
		}
		for _, f := range servertest.Faults {
			if f.Name == fault {
				f.Play(w, r)
				return
			}
		}
		sum := servertest.DigestOf(r.Body)
		signed := r.Header.Get("Signed")
		if signed == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		assert.Equal(t, signed, sum)
		io.WriteString(w, sum)
	})
	faults := []string{"well"}
	for _, f := range servertest.Faults {
		faults = append(faults, f.Name)
	}
	data := servertest.Megabyte[:300_000]
	for _, u := range servertest.Uploads {
		for _, fault := range faults {
			t.Run(u.Name+"/"+fault, func(t *testing.T) {
				req, record := requestTo(t, s, http.MethodPut, fmt.Sprintf("/%s/%s", fault, u.Name), nil)
				bodies := u.Give(req, data)
				transport := over(s)
				transport.Base = wrap(s.Base)
				resp, err := transport.RoundTrip(req)
				require.NoError(t, err, "%v", record.Calls())
				require.Equal(t, 200, resp.StatusCode)
				require.Equal(t, servertest.Digest(data), servertest.ReadAndClose(t, resp))
				bodies.Check(t)
			})
		}
	}
}

// TestASignerOfWhatIsTooLongToKeep gets an error that says so; the server gets nothing
// that is short.
func TestASignerOfWhatIsTooLongToKeep(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var whole atomic.Int32
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				whole.Add(1)
			}
		})
		bodies := new(servertest.Closes)
		req, _ := requestTo(t, s, http.MethodPut, "/", nil)
		req.Body = bodies.Watch(servertest.Unknown(bytes.NewReader(servertest.Megabyte)))
		transport := over(s, keepAtMost(1000))
		transport.Base = signer{s.Base, hashCopies(1, true), false}
		_, err := transport.RoundTrip(req)
		require.ErrorContains(t, err, "insist: the request body was too large to keep")
		assert.Zero(t, whole.Load())
		bodies.Check(t)
	})
}

// TestAMirror sends each request twice, at the same time.
func TestAMirror(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			sum := servertest.DigestOf(r.Body)
			if hits.Next(r) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			io.WriteString(w, sum)
		})
		data := servertest.Megabyte[:200_000]
		for _, u := range servertest.Uploads {
			t.Run(u.Name, func(t *testing.T) {
				req, record := requestTo(t, s, http.MethodPut, "/"+u.Name, nil)
				bodies := u.Give(req, data)
				mirrored := make(chan string, 4)
				transport := over(s)
				transport.Base = roundTripper(func(req *http.Request) (*http.Response, error) {
					twin := req.Clone(req.Context())
					twin.URL.Path = "/mirror"
					var err error
					if twin.Body, err = req.GetBody(); err != nil {
						return nil, err
					}
					go func() {
						resp, err := s.Base.RoundTrip(twin)
						if err != nil {
							mirrored <- err.Error()
							return
						}
						body, _ := io.ReadAll(resp.Body)
						resp.Body.Close()
						mirrored <- string(body)
					}()
					resp, err := s.Base.RoundTrip(req)
					assert.Equal(t, servertest.Digest(data), <-mirrored)
					return resp, err
				})
				resp, err := transport.RoundTrip(req)
				require.NoError(t, err, "%v", record.Calls())
				require.Equal(t, servertest.Digest(data), servertest.ReadAndClose(t, resp))
				bodies.Check(t)
			})
		}
	})
}
