package insist_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// The core cases over real sockets; integrationtests has the others.

// eager retries at once, four attempts in all.
var eager = insist.Policy{MaxAttempts: 4, Backoff: insist.Constant(0)}

// over returns a transport that retries over s, edited.
func over(s *servertest.Server, edits ...func(*insist.Policy)) *insist.RetryTransport {
	p := eager
	for _, edit := range edits {
		edit(&p)
	}
	return &insist.RetryTransport{Base: s.Base, Policy: p}
}

// requestTo returns a request to s, and the record of its attempts.
func requestTo(t testing.TB, s *servertest.Server, method, path string, body io.Reader) (*http.Request, *insist.Record) {
	t.Helper()
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	require.NoError(t, err)
	return req, record
}

// resumes allows for cuts so near to each other that nothing arrives between.
func resumes(p *insist.Policy) { p.ResumeDownloads, p.MaxAttempts = true, 30 }

// answers are what must reach the caller as it is, after a 503 and as the last
// of several.
var answers = []struct {
	name, method string
	write        http.HandlerFunc
}{
	{"HEAD", "HEAD", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12")
	}},
	{"204", "DELETE", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }},
	{"304", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.WriteHeader(304)
	}},
	{"trailers", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		io.WriteString(w, "body")
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Not-Announced", "2")
	}},
	{"gzip", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		z := gzip.NewWriter(w)
		z.Write(servertest.Megabyte[:20_000])
		z.Close()
	}},
	{"truncated", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.Write(servertest.Megabyte[:1234])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{"503", "POST", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		w.Write(servertest.Megabyte)
	}},
	{"403", "GET", func(w http.ResponseWriter, r *http.Request) { http.Error(w, `{"code": "NoSuchKey"}`, 403) }},
}

// handOvers are policies under which a response is read, or wrapped, before it is handed
// over.
var handOvers = map[string]func(*insist.Policy){
	"read whole, resumable": func(p *insist.Policy) { resumes(p); p.MaxWholeBytes, p.MaxAttempts = 1<<20, 4 },
	"looked into":           func(p *insist.Policy) { p.RetryableBody = insist.JSONField[any]("/x", nil) },
	"looked into, all": func(p *insist.Policy) {
		p.MaxPeekBytes = 1 << 30
		p.RetryableBody = func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d insist.Decision) {
			io.Copy(io.Discard, body)
			return d
		}
	},
	"timed":   func(p *insist.Policy) { p.PerAttemptTimeout = time.Hour },
	"bounded": func(p *insist.Policy) { p.BodyIdleTimeout = time.Hour },
	"hedged":  func(p *insist.Policy) { p.Hedge = &insist.Hedge{Delay: time.Hour} },
	"everything": func(p *insist.Policy) {
		resumes(p)
		p.MaxAttempts, p.MaxWholeBytes, p.RetryableBody = 4, 1<<20, insist.JSONField[any]("/x", nil)
		p.RetryableEvent, p.PerAttemptTimeout, p.BodyIdleTimeout = p.RetryableBody, time.Hour, time.Hour
		p.Hedge, p.Cooldown, p.Budget = &insist.Hedge{Delay: time.Hour}, new(insist.Cooldown), new(insist.Budget)
	},
}

// TestTheLastAnswerIsAsWithoutUs compares every part of the response with what
// the bare transport returns.
func TestTheLastAnswerIsAsWithoutUs(t *testing.T) {
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		for _, a := range answers {
			t.Run(a.name, func(t *testing.T) {
				var hits servertest.Counter
				s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
					if r.URL.Path != "/bare" && hits.Next(r) == 1 {
						http.Error(w, "not now", 503)
						return
					}
					a.write(w, r)
				})
				req, _ := requestTo(t, s, a.method, "/bare", nil)
				resp, err := s.Base.RoundTrip(req)
				require.NoError(t, err)
				bare := responseText(resp)
				req, _ = requestTo(t, s, a.method, "/retried", nil)
				resp, err = over(s).RoundTrip(req)
				require.NoError(t, err)
				assert.Same(t, req, resp.Request)
				assert.Equal(t, bare, responseText(resp))
				for name, edit := range handOvers {
					req, _ = requestTo(t, s, a.method, "/"+name, nil)
					resp, err = over(s, edit).RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, withoutType(bare), withoutType(responseText(resp)), name)
				}
				if a.name == "truncated" && p == servertest.HTTP1 {
					assert.Contains(t, bare, "1234 bytes, then unexpected EOF")
				}
			})
		}
	})
}

func withoutType(text string) string { return regexp.MustCompile("body .*").ReplaceAllString(text, "") }

// responseText is all that a caller sees of resp.
func responseText(resp *http.Response) string {
	defer resp.Body.Close()
	head := fmt.Sprintf("%s %s %v %d %v %v %v, body %T", resp.Proto, resp.Status, resp.Header,
		resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Uncompressed, resp.Body)
	body := servertest.DigestOf(resp.Body) // before the trailer, which comes after it
	all := strings.Join([]string{head, body, fmt.Sprint(resp.Trailer)}, "\n")
	return regexp.MustCompile(`stream ID \d+`).ReplaceAllString(all, "stream ID n")
}

// TestManyAtOnce makes calls of all kinds at once over one transport, to a server
// that fails in all ways, some of them given up by the caller.
func TestManyAtOnce(t *testing.T) {
	const workers, calls = 64, 3
	leak.Check(t)
	servertest.Each(t, func(t *testing.T, p servertest.Proto) {
		var hits servertest.Counter
		s := p.Start(t, func(w http.ResponseWriter, r *http.Request) {
			n := hits.Next(r)
			if n > 2 {
				io.WriteString(w, servertest.DigestOf(r.Body))
				return
			}
			which := int(r.URL.Path[len(r.URL.Path)-1]) + n
			if f := servertest.Faults[which%len(servertest.Faults)]; p == servertest.HTTP1 || f.Name == "early 503" || f.Name == "stream aborted" {
				f.Play(w, r)
			}
			// On HTTP/2 a connection is everybody's: cut it, and others pay.
			w.WriteHeader(http.StatusBadGateway)
		})
		transport := over(s)
		data := servertest.Pattern(100_000)
		want := servertest.Digest(data)
		var group sync.WaitGroup
		for worker := range workers {
			group.Go(func() {
				for i := range calls {
					req, record := requestTo(t, s, "PUT", fmt.Sprintf("/%d/%d", worker, i), nil)
					bodies := servertest.Uploads[(worker+i)%len(servertest.Uploads)].Give(req, data)
					if i == 0 {
						ctx, cancel := context.WithCancel(req.Context())
						req = req.WithContext(ctx)
						go func() {
							for range rand.N(3000) {
								hits.Count("") // a while
							}
							cancel()
						}()
					}
					resp, err := transport.RoundTrip(req)
					if err == nil {
						body, _ := io.ReadAll(resp.Body)
						resp.Body.Close()
						assert.True(t, string(body) == want || i == 0, "%s", body)
					} else if i > 0 {
						assert.NoError(t, err, "%v", record.Calls())
					}
					bodies.Check(t)
				}
			})
		}
		group.Wait()
	})
}
