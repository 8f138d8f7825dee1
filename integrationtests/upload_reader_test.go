package integrationtests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// ownError is an error that can't be compared: net/http panics at one.
type ownError struct{ parts []string }

func (ownError) Error() string { return "the reader's own" }

var ownErrors = []error{
	errors.New("the reader's own"), ownError{[]string{"a"}}, &ownError{}, io.ErrUnexpectedEOF,
	syscall.ECONNRESET, &http.MaxBytesError{Limit: 1}, http.ErrBodyReadAfterClose, io.ErrClosedPipe,
}

// failing gives n bytes and then err.
func failing(n int, err error) io.ReadCloser {
	return io.NopCloser(io.MultiReader(bytes.NewReader(servertest.Megabyte[:n]), broken{err}))
}

// failingKinds are the kinds of bodies that give n of 1 MiB and then err.
var failingKinds = map[string]func(n int, err error) io.ReadCloser{
	"read once": failing,
	"GetBody":   failing,
	"section": func(n int, err error) io.ReadCloser {
		return unwatched{io.NopCloser(io.NewSectionReader(&failingAt{n: int64(n), err: err}, 0, 1<<20))}
	},
	"seeks": func(n int, err error) io.ReadCloser {
		section := io.NewSectionReader(&failingAt{n: int64(n), err: err}, 0, 1<<20)
		return unwatched{struct {
			io.Reader
			io.Seeker
			io.Closer
		}{section, section, io.NopCloser(nil)}}
	},
}

// unwatched is a body whose type matters, so that its Close is not counted.
type unwatched struct{ io.ReadCloser }

// failingAt is a reader of 1 MiB that fails from n on.
type failingAt struct {
	n   int64
	err error
}

func (f *failingAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.n {
		return 0, f.err
	}
	n := copy(p, servertest.Megabyte[off:f.n])
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// lengths are the ways to declare the length of a body of 1 MiB.
var lengths = map[string]int64{"known length": 1 << 20, "unknown length": 0, "unknown length, said so": -1}

// bodyEnds makes one upload that is wrong and returns its error. give is
// called for the body, and for GetBody's if there is one.
func bodyEnds(t *testing.T, s *servertest.Server, hits *servertest.Counter, path string, length int64, getBody bool, give func() io.ReadCloser) error {
	t.Helper()
	req, record := requestTo(t, s, "PUT", path, nil)
	bodies := new(servertest.Closes)
	watch := func(body io.ReadCloser) io.ReadCloser {
		if bare, ok := body.(unwatched); ok {
			return bare.ReadCloser
		}
		return bodies.Watch(body)
	}
	req.Body, req.ContentLength = watch(give()), length
	if getBody {
		req.GetBody = func() (io.ReadCloser, error) { return watch(give()), nil }
	}
	resp, err := over(s).RoundTrip(req)
	why := insist.ReasonBody
	if err == nil {
		resp.Body.Close()
		why = insist.ReasonSuccess
	}
	assert.Equal(t, []insist.Reason{why}, reasons(t, record))
	assert.LessOrEqual(t, hits.Count(path), 1)
	bodies.Check(t)
	return err
}

func TestTheReadersOwnErrorIsReturnedAsItIs(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			io.Copy(io.Discard, r.Body)
		})
		n := 0
		for name, length := range lengths {
			for kind, give := range failingKinds {
				for _, own := range ownErrors {
					for _, at := range []int{0, 3, 500_000} {
						t.Run(fmt.Sprintf("%s/%s/%T at %d", name, kind, own, at), func(t *testing.T) {
							n++
							err := bodyEnds(t, s, &hits, fmt.Sprint("/", n), length, kind == "GetBody",
								func() io.ReadCloser { return give(at, own) })
							require.Error(t, err)
							assert.True(t, reflect.DeepEqual(own, err), "got %#v", err)
						})
					}
				}
			}
		}
	})
}

func TestABodyThatIsNotAsLongAsDeclared(t *testing.T) {
	const declared = 1 << 20
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			io.Copy(io.Discard, r.Body)
		})
		for _, size := range []int{0, 1, declared - 1, declared + 1, declared + 17} {
			for _, getBody := range []bool{false, true} {
				if getBody && size > declared {
					continue // net/http may have a response before it looks for more
				}
				t.Run(fmt.Sprint(size, getBody), func(t *testing.T) {
					for run := range 10 {
						err := bodyEnds(t, s, &hits, fmt.Sprint("/", size, getBody, run), declared, getBody,
							func() io.ReadCloser { return &servertest.Slowly{Data: servertest.Megabyte[:size], Step: 300_000} })
						if err == nil && p == servertest.HTTP1 && size > declared {
							// The server may answer before net/http looks for more.
							continue
						}
						require.ErrorIs(t, err, io.ErrUnexpectedEOF)
					}
				})
			}
		}
	})
}

// TestABodyInMemoryThatIsNotAsLongAsDeclared is the base's to find fault with.
func TestABodyInMemoryThatIsNotAsLongAsDeclared(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for _, size := range []int{3, 8} {
			path := fmt.Sprint("/", size)
			req, record := requestTo(t, s, "PUT", path, nil)
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(servertest.Megabyte[:size])), 5
			resp, err := over(s).RoundTrip(req)
			if err == nil {
				assert.Equal(t, 503, resp.StatusCode)
				resp.Body.Close()
			}
			assert.Len(t, reasons(t, record), 1)
			assert.LessOrEqual(t, hits.Count(path), 1)
			assert.False(t, size == 3 && err == nil && p == servertest.HTTP1, "a short body was sent")
		}
	})
}

// TestTheReaderFailsAfterTheAnswer has a server that answers before the body
// has been read, and a body that can't be read.
func TestTheReaderFailsAfterTheAnswer(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		answered, blocked := make(chan struct{}), make(chan struct{})
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			<-blocked
			http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusServiceUnavailable)
			http.NewResponseController(w).Flush()
			<-answered
		})
		own := errors.New("the reader's own")
		req, record := requestTo(t, s, "PUT", "/", nil)
		req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(servertest.Megabyte[:10]), broken{own}))
		body := &held{ReadCloser: req.Body, blocked: blocked, until: answered, done: make(chan struct{})}
		req.Body = body
		transport := over(s)
		transport.Base = after{s.Base, sync.OnceFunc(func() {
			close(answered) // lets the reader fail, too
			<-body.done
		})}
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode)
		resp.Body.Close()
		assert.Equal(t, []insist.Reason{insist.ReasonBody}, reasons(t, record))
		assert.Equal(t, 1, hits.Count("/"))
	})
}

// after is a base that does something when it has a response.
type after struct {
	http.RoundTripper
	do func()
}

func (a after) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(req)
	a.do()
	return resp, err
}

// held is a body whose second Read waits.
type held struct {
	io.ReadCloser
	reads   int
	blocked chan struct{} // closed when a read waits
	until   chan struct{}
	done    chan struct{}
}

func (h *held) Read(p []byte) (int, error) {
	if h.reads++; h.reads == 2 {
		close(h.blocked)
		<-h.until
	}
	return h.ReadCloser.Read(p)
}

// Close is called when the error has been noted.
func (h *held) Close() error {
	close(h.done)
	return nil
}

func TestABodyLongerThanTheLimitIsSentOnce(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Next(r)
			body := servertest.DigestOf(r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, body)
		})
		for _, u := range servertest.Uploads {
			for limit, kept := range map[int64]bool{int64(len(servertest.Megabyte)): true, int64(len(servertest.Megabyte)) - 1: false, -1: false} {
				path := fmt.Sprintf("/%d", limit)
				req, record := requestTo(t, s, "POST", path, nil)
				bodies := u.Give(req, servertest.Megabyte)
				_, seeks := req.Body.(io.Seeker)
				kept = kept || seeks || req.GetBody != nil
				want := []insist.Reason{insist.ReasonBody}
				if kept {
					want = []insist.Reason{"status", "status", "status", insist.ReasonAttempts}
				}
				resp, err := over(s, func(p *insist.Policy) { p.MaxReplayBytes = limit }).RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, 503, resp.StatusCode)
				assert.Equal(t, servertest.Digest(servertest.Megabyte), servertest.ReadAndClose(t, resp), "%s %d", u.Name, limit)
				assert.Equal(t, want, reasons(t, record), "%s %d", u.Name, limit)
				bodies.Check(t)
			}
		}
	})
}
