package signers

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

var key = []byte("secret")

// service takes uploads that are signed, and fails the first one of each path.
type service struct {
	*testing.T
	verify func(r *http.Request, body []byte) (challenge string, ok bool)

	mu     sync.Mutex
	failed map[string]bool
	stored map[string][]byte
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := s.fault(r); fault != nil {
		fault(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	challenge, ok := s.verify(r, body)
	switch {
	case ok:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stored[r.URL.Path] = body
	case challenge == "":
		s.Errorf("%s: a wrong signature over %d bytes", r.URL.Path, len(body))
		w.WriteHeader(http.StatusForbidden)
	default:
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// faults are what the first signed request to a path meets.
var faults = map[string]http.HandlerFunc{
	"none": nil,
	"503 at once": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	},
	"503 in the end": func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	},
	"aborted": func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 100_000)
		panic(http.ErrAbortHandler)
	},
}

func (s *service) fault(r *http.Request) http.HandlerFunc {
	if r.Header.Get("Authorization") == "" && r.Header.Get(SignatureHeader) == "" {
		return nil // to be challenged
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed[r.URL.Path] {
		return nil
	}
	s.failed[r.URL.Path] = true
	return faults[strings.Split(r.URL.Path, "/")[1]]
}

func verifyHMAC(r *http.Request, body []byte) (string, bool) {
	want, _ := Signature(key, r.Header.Get(TimeHeader), r.Method, r.URL.Path, bytes.NewReader(body))
	return "", r.Header.Get(SignatureHeader) == want
}

// verifyDigest is RFC 7616 with MD5 and qop=auth-int.
func verifyDigest(r *http.Request, body []byte) (string, bool) {
	const challenge = `Digest realm="r", nonce="n", qop="auth-int", algorithm=MD5`
	c, err := digest.ParseCredentials(r.Header.Get("Authorization"))
	if err != nil {
		return challenge, false
	}
	hash := func(parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum[:])
	}
	want := hash(hash("user", "r", "password"), "n", fmt.Sprintf("%08x", c.Nc), c.Cnonce, "auth-int",
		hash(r.Method, r.RequestURI, hash(string(body))))
	return "", c.Response == want
}

// bodies are the kinds of request bodies.
var bodies = map[string]func(t *testing.T, req *http.Request, data []byte){
	"in memory": func(t *testing.T, req *http.Request, data []byte) {
		made, err := http.NewRequest("PUT", "http://x/", bytes.NewReader(data))
		require.NoError(t, err)
		req.Body, req.GetBody, req.ContentLength = made.Body, made.GetBody, made.ContentLength
	},
	"GetBody": func(t *testing.T, req *http.Request, data []byte) {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(bytes.NewReader(data))), nil }
		req.Body, _ = req.GetBody()
	},
	"GetBody that rewinds": func(t *testing.T, req *http.Request, data []byte) {
		shared := struct {
			*bytes.Reader
			io.Closer
		}{bytes.NewReader(data), io.NopCloser(nil)}
		req.Body, req.ContentLength = shared, int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) {
			_, err := shared.Seek(0, io.SeekStart)
			return shared, err
		}
	},
	"read once": func(t *testing.T, req *http.Request, data []byte) {
		req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data)))
	},
	"file": func(t *testing.T, req *http.Request, data []byte) {
		name := filepath.Join(t.TempDir(), "body")
		require.NoError(t, os.WriteFile(name, data, 0o600))
		f, err := os.Open(name)
		require.NoError(t, err)
		t.Cleanup(func() { assert.ErrorIs(t, f.Close(), os.ErrClosed, "the body was not closed") })
		req.Body = f
	},
}

func TestSigner(t *testing.T) {
	test(t, verifyHMAC, func(base http.RoundTripper) http.RoundTripper { return &Signer{Key: key, Base: base} })
}

func TestDigestOverTheBody(t *testing.T) {
	test(t, verifyDigest, func(base http.RoundTripper) http.RoundTripper {
		return &digest.Transport{Username: "user", Password: "password", Transport: base}
	})
}

// Where every exchange is challenged, each attempt has two.
func TestDigestThatIsChallengedEachTime(t *testing.T) {
	test(t, verifyDigest, func(base http.RoundTripper) http.RoundTripper {
		return &digest.Transport{Username: "user", Password: "password", NoReuse: true, Transport: base}
	})
}

// test sends each kind of body through each fault, on HTTP/1.1 and HTTP/2, signed by what
// wrap puts below the RetryTransport.
func test(t *testing.T, verify func(*http.Request, []byte) (string, bool), wrap func(http.RoundTripper) http.RoundTripper) {
	data := make([]byte, 300_000)
	rand.Read(data)
	for _, http2 := range []bool{false, true} {
		s := &service{T: t, verify: verify, failed: map[string]bool{}, stored: map[string][]byte{}}
		srv := httptest.NewUnstartedServer(s)
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		defer srv.Close()
		policy := insist.Standard()
		policy.Backoff, policy.Budget = insist.Constant(0), nil // each call fails once
		client := &http.Client{Transport: &insist.RetryTransport{Base: wrap(srv.Client().Transport), Policy: policy}}
		for fault := range faults {
			for name, give := range bodies {
				path := "/" + fault + "/" + name
				t.Run(fmt.Sprintf("HTTP2=%v%s", http2, path), func(t *testing.T) {
					req, err := http.NewRequest("PUT", srv.URL, nil)
					require.NoError(t, err)
					req.URL.Path = path
					give(t, req, data)
					resp, err := client.Do(req)
					require.NoError(t, err)
					resp.Body.Close()
					require.Equal(t, 200, resp.StatusCode)
					assert.True(t, bytes.Equal(data, s.stored[path]), "%d bytes stored", len(s.stored[path]))
				})
			}
		}
	}
}
