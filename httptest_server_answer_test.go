package insist_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

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
		z.Write(megabyte[:20_000])
		z.Close()
	}},
	{"truncated", "GET", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.Write(megabyte[:1234])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{"503", "POST", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		w.Write(megabyte)
	}},
	{"403", "GET", func(w http.ResponseWriter, r *http.Request) { http.Error(w, `{"code": "NoSuchKey"}`, 403) }},
}

// TestTheLastAnswerIsAsWithoutUs compares every part of the response with what
// the bare transport returns.
func TestTheLastAnswerIsAsWithoutUs(t *testing.T) {
	srvEach(t, func(t *testing.T, p srvProto) {
		for _, a := range answers {
			t.Run(a.name, func(t *testing.T) {
				var hits counter
				s := p.start(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
					if r.URL.Path != "/bare" && hits.next(r) == 1 {
						http.Error(w, "not now", 503)
						return
					}
					a.write(w, r)
				})
				req, _ := s.request(t, a.method, "/bare", nil)
				resp, err := s.base.RoundTrip(req)
				require.NoError(t, err)
				bare := responseText(resp)
				req, _ = s.request(t, a.method, "/retried", nil)
				resp, err = s.over().RoundTrip(req)
				require.NoError(t, err)
				assert.Same(t, req, resp.Request)
				assert.Equal(t, bare, responseText(resp))
				req, _ = s.request(t, a.method, "/whole", nil)
				resp, err = s.over(resumes, func(p *insist.Policy) { p.MaxWholeBytes, p.MaxAttempts = 1<<20, 4 }).RoundTrip(req)
				require.NoError(t, err)
				assert.Equal(t, withoutType(bare), withoutType(responseText(resp)))
				if a.name == "truncated" && p == http11 {
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
	body := digestOf(resp.Body) // before the trailer, which comes after it
	all := strings.Join([]string{head, body, fmt.Sprint(resp.Trailer)}, "\n")
	return regexp.MustCompile(`stream ID \d+`).ReplaceAllString(all, "stream ID n")
}
