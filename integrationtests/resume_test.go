package integrationtests

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

const (
	alphabet = "abcdefghijklmnopqrstuvwxyz"
	tag      = `"v1"`
)

type edit = func(*http.Response)

// part serves the alphabet, with tag as its ETag, as http.ServeContent does, truncated
// after n bytes.
func part(n int, edits ...edit) step { return partOf(alphabet, n, edits...) }

func partOf(content string, n int, edits ...edit) step {
	return func(req *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.Header().Set("Etag", tag)
		if content != alphabet {
			w.Header().Set("Etag", `"v2"`)
		}
		modified := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
		http.ServeContent(w, req, "", modified, strings.NewReader(content))
		resp := w.Result()
		for _, e := range edits {
			e(resp)
		}
		return insisttest.CutAfter(n, func(*http.Request) (*http.Response, error) { return resp, nil })(req)
	}
}

// header replaces a header; no values remove it.
func header(key string, values ...string) edit {
	return func(resp *http.Response) {
		if resp.Header.Del(key); len(values) > 0 {
			resp.Header[http.CanonicalHeaderKey(key)] = values
		}
	}
}

func code(n int) edit { return func(resp *http.Response) { resp.StatusCode = n } }

func declares(n int64) edit { return func(resp *http.Response) { resp.ContentLength = n } }

func holds(body string) edit {
	return func(resp *http.Response) { resp.Body = io.NopCloser(strings.NewReader(body)) }
}

var all = len(alphabet)

func resuming(edits ...func(*insist.Policy)) insist.Policy {
	p := insist.Policy{ResumeDownloads: true, Backoff: insist.Constant(time.Minute)}
	for _, e := range edits {
		e(&p)
	}
	return p
}

// TestParts: what follows the first response, which is truncated after five bytes.
func TestParts(t *testing.T) {
	lost, none := fails(syscall.ECONNRESET), ([]string)(nil)
	for _, c := range []struct {
		name   string
		steps  []step
		want   string   // "" means that the original error ends it
		ranges []string // that are asked for, beside the first
	}{
		{"the rest", []step{part(all)}, alphabet, []string{"bytes=5-"}},
		{"cut again", []step{part(5), part(5), part(all)}, alphabet, []string{"bytes=5-", "bytes=10-", "bytes=15-"}},
		{"a failure between", []step{lost, part(all)}, alphabet, []string{"bytes=5-", "bytes=5-"}},
		{"a status between", []step{status(503), part(all)}, alphabet, []string{"bytes=5-", "bytes=5-"}},
		{"failures for ever", []step{lost}, "", []string{"bytes=5-", "bytes=5-"}},
		{"parts without a byte", []step{part(0)}, "", []string{"bytes=5-", "bytes=5-"}},
		{"another failure after progress", []step{lost, part(2), lost, part(all)}, alphabet,
			[]string{"bytes=5-", "bytes=5-", "bytes=7-", "bytes=7-"}},
		{"total not told", []step{part(all, header("Content-Range", "bytes 5-25/*"))}, alphabet, []string{"bytes=5-"}},
		{"length not told", []step{part(all, declares(-1))}, alphabet, []string{"bytes=5-"}},
		{"identity", []step{part(all, header("Content-Encoding", "identity"))}, alphabet, []string{"bytes=5-"}},
		{"less than asked for", []step{
			part(all, header("Content-Range", "bytes 5-7/26"), declares(3), holds("fgh")), part(all),
		}, alphabet, []string{"bytes=5-", "bytes=8-"}},
		{"less than it says, and no error", []step{part(all, declares(-1), holds("fgh")), part(all)}, alphabet, []string{"bytes=5-", "bytes=8-"}},
		{"more than it says", []step{part(all, declares(-1), holds(alphabet[5:]+"?"))}, alphabet, []string{"bytes=5-"}},

		{"another version", []step{partOf("0123456789", all)}, "", []string{"bytes=5-"}},
		{"another version, range all the same", []step{part(all, header("Etag", `"v2"`))}, "", []string{"bytes=5-"}},
		{"weak ETag", []step{part(all, header("Etag", "W/"+tag))}, "", []string{"bytes=5-"}},
		{"two ETags", []step{part(all, header("Etag", tag, tag))}, "", []string{"bytes=5-"}},
		{"no ETag", []step{part(all, header("Etag"))}, "", []string{"bytes=5-"}},
		{"Range ignored", []step{part(all, code(200), declares(26), holds(alphabet))}, alphabet, []string{"bytes=5-"}},
		{"Range ignored, length not told", []step{part(all, code(200), declares(-1), holds(alphabet))}, alphabet, []string{"bytes=5-"}},
		{"Range ignored, other length", []step{part(all, code(200), declares(21))}, "", []string{"bytes=5-"}},
		{"Range ignored, another version", []step{part(all, code(200), declares(26), holds(alphabet), header("Etag", `"v2"`))}, "", []string{"bytes=5-"}},
		{"no Content-Range", []step{part(all, header("Content-Range"))}, "", []string{"bytes=5-"}},
		{"two Content-Ranges", []step{part(all, header("Content-Range", "bytes 5-25/26", "bytes 5-25/26"))}, "", []string{"bytes=5-"}},
		{"starts before", []step{part(all, header("Content-Range", "bytes 3-9/26"), declares(7), holds("defghij")), part(all)}, alphabet,
			[]string{"bytes=5-", "bytes=10-"}},
		{"starts before, and is truncated there", []step{part(1, header("Content-Range", "bytes 3-9/26"), declares(7), holds("defghij")), part(all)}, alphabet,
			[]string{"bytes=5-", "bytes=5-"}},
		{"ends before", []step{part(all, header("Content-Range", "bytes 0-4/26"), declares(5), holds("abcde"))}, "", []string{"bytes=5-"}},
		{"starts behind", []step{part(all, header("Content-Range", "bytes 6-25/26"))}, "", []string{"bytes=5-"}},
		{"other total", []step{part(all, header("Content-Range", "bytes 5-25/27"))}, "", []string{"bytes=5-"}},
		{"end behind the total", []step{part(all, header("Content-Range", "bytes 5-26/*"), declares(-1))}, "", []string{"bytes=5-"}},
		{"other length than range", []step{part(all, declares(20))}, "", []string{"bytes=5-"}},
		{"many parts", []step{part(all, header("Content-Type", "multipart/byteranges; boundary=x"))}, "", []string{"bytes=5-"}},
		{"compressed", []step{part(all, header("Content-Encoding", "gzip"))}, "", []string{"bytes=5-"}},
		{"unpacked", []step{part(all, func(r *http.Response) { r.Uncompressed = true })}, "", []string{"bytes=5-"}},
		{"412", []step{status(412), part(all)}, "", []string{"bytes=5-"}},
		{"416", []step{status(416, "Content-Range", "bytes */26"), part(all)}, "", []string{"bytes=5-"}},
		{"416 that contradicts the length", []step{status(416, "Content-Range", "bytes */5"), part(all)}, "", []string{"bytes=5-"}},
		{"a rule that takes all but a 200 for a failure", []step{part(all)}, alphabet, []string{"bytes=5-"}},
		{"204", []step{status(204), part(all)}, "", []string{"bytes=5-"}},
		{"an error that is not retried", []step{fails(insist.Permanent(errLost)), part(all)}, "", []string{"bytes=5-"}},
		{"unasked", nil, "", none},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p := insisttest.NewScript(append([]step{part(5)}, c.steps...)...), resuming()
				switch c.name {
				case "unasked":
					p = insist.Policy{}
				case "a rule that takes all but a 200 for a failure":
					p.RetryableStatus = func(code int) bool { return code != 200 }
				}
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				if c.want != "" {
					assert.NoError(t, err)
					assert.Equal(t, c.want, string(got))
				} else {
					assert.Equal(t, io.ErrUnexpectedEOF, err)
					assert.Equal(t, alphabet[:5], string(got))
				}
				_, again := resp.Body.Read(make([]byte, 1))
				if c.want != "" {
					err = io.EOF
				}
				assert.Equal(t, err, again, "the end stays the end")
				assert.NoError(t, resp.Body.Close())
				var ranges []string
				for _, a := range b.Arrivals()[1:] {
					ranges = append(ranges, a.Header.Get("Range"))
					assert.Equal(t, tag, a.Header.Get("If-Range"))
				}
				assert.Equal(t, c.ranges, ranges)
				for i, body := range b.Bodies() {
					assert.NotZero(t, body.Closes(), i)
				}
			})
		})
	}
}

// TestWhatIsResumed: the first response is truncated after five bytes; is there a
// second request?
func TestWhatIsResumed(t *testing.T) {
	at := func(second string) []string { return []string{"Mon, 02 Jan 2006 15:04:" + second + " GMT"} }
	dated := func(modified, date string) []edit {
		return []edit{header("Etag"), header("Last-Modified", at(modified)...), header("Date", at(date)...)}
	}
	get := func(*http.Request) {}
	digest := func(h http.Header) string { return h.Get("Digest") }
	for _, c := range []struct {
		name  string
		req   func(*http.Request)
		edits []edit
		p     func(*insist.Policy)
		want  bool
	}{
		{"a download", get, nil, nil, true},
		{"no method", func(r *http.Request) { r.Method = "" }, nil, nil, true},
		{"no body by another name", func(r *http.Request) { r.Body = http.NoBody }, nil, nil, true},
		{"length unknown", get, []edit{declares(-1)}, nil, true},
		{"several units", get, []edit{header("Accept-Ranges", "pages, Bytes")}, nil, true},
		{"modified before", get, dated("05", "06"), nil, true},
		{"modified just now", get, dated("06", "06"), nil, false},
		{"modified in the future", get, dated("07", "06"), nil, false},
		{"modified, no date", get, append(dated("05", "06"), header("Date")), nil, false},
		{"modified before, weak ETag", get, append(dated("05", "06"), header("Etag", "W/"+tag)), nil, false},
		{"modified at no time", get, append(dated("05", "06"), header("Last-Modified", "yesterday")), nil, false},
		{"weak ETag", get, []edit{header("Etag", "W/"+tag)}, nil, false},
		{"ETag without quotes", get, []edit{header("Etag", "v1")}, nil, false},
		{"ETag of one quote", get, []edit{header("Etag", `"`)}, nil, false},
		{"ETag of three quotes", get, []edit{header("Etag", `"a"b"`)}, nil, false},
		{"no validator", get, []edit{header("Etag")}, nil, false},
		{"own validator", get, []edit{header("Etag"), header("Digest", "x")}, func(p *insist.Policy) { p.ResumeValidator = digest }, true},
		{"own validator, beside a weak ETag", get, []edit{header("Etag", "W/"+tag), header("Digest", "x")}, func(p *insist.Policy) { p.ResumeValidator = digest }, true},
		{"own validator, which is missing", get, []edit{header("Etag", "W/"+tag)}, func(p *insist.Policy) { p.ResumeValidator = digest }, false},
		{"own validator, which is missing, and an ETag", get, nil, func(p *insist.Policy) { p.ResumeValidator = digest }, true},
		{"no ranges", get, []edit{header("Accept-Ranges", "none")}, nil, false},
		{"ranges not named", get, []edit{header("Accept-Ranges")}, nil, true},
		{"compressed", get, []edit{header("Content-Encoding", "gzip")}, nil, false},
		{"unpacked", get, []edit{func(r *http.Response) { r.Uncompressed = true }}, nil, false},
		{"trailers, which would be the last part's", get, []edit{func(r *http.Response) { r.Trailer = http.Header{"X-Sum": nil} }}, nil, false},
		{"not authoritative", get, []edit{code(203)}, nil, false},
		{"PUT", func(r *http.Request) { r.Method = "PUT" }, nil, nil, false},
		{"POST", func(r *http.Request) { r.Method = "POST" }, nil, nil, false},
		{"GET with a body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("q")) }, nil, nil, false},
		{"a GET that creates", get, nil, func(p *insist.Policy) { p.Idempotent = func(*http.Request) bool { return false } }, false},
		{"one attempt", get, nil, func(p *insist.Policy) { p.MaxAttempts = 1 }, false},
		{"RetryableError refuses", get, nil, func(p *insist.Policy) { p.RetryableError = insist.ErrorAs[syscall.Errno] }, false},
		{"Classify refuses", get, nil, func(p *insist.Policy) {
			p.Classify = func(_ *http.Request, _ *http.Response, err error, _ int) (d insist.Decision) {
				if err != nil {
					d.Verdict = insist.Stop
				}
				return d
			}
		}, false},
		{"no budget", get, nil, func(p *insist.Policy) { p.Budget = &insist.Budget{Reserve: -1, PerSuccess: -1} }, true},
		{"no time", get, nil, func(p *insist.Policy) { p.MaxElapsed = 59 * time.Second }, false},
		{"time", get, nil, func(p *insist.Policy) { p.MaxElapsed = 61 * time.Second }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p := script(part(5, c.edits...), part(all, c.edits[:min(len(c.edits), 2)]...)), resuming()
				if c.p != nil {
					c.p(&p)
				}
				req := request(t, "GET", "http://x/", nil)
				c.req(req)
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(req)
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if c.want {
					assert.NoError(t, err)
					assert.Equal(t, alphabet, string(got))
				} else {
					assert.Equal(t, io.ErrUnexpectedEOF, err)
					assert.Equal(t, alphabet[:5], string(got))
					assert.Len(t, b.Arrivals(), 1)
				}
			})
		})
	}
}

func TestARangeOfTheCallersOwn(t *testing.T) {
	for _, c := range []struct {
		asked, want string
		edits       []edit
		then        string // "" means that it is not resumed
	}{
		{"bytes=2-11", "cdefghijkl", nil, "bytes=7-11"},
		{"bytes=-10", "qrstuvwxyz", nil, "bytes=21-25"},
		{"bytes=10-", "klmnopqrstuvwxyz", nil, "bytes=15-25"},
		{"bytes=2-11", "cdefghijkl", []edit{declares(-1)}, "bytes=7-11"},
		{"bytes=2-11", "cdefghijkl", []edit{header("Content-Range", "bytes 2-11/*")}, "bytes=7-11"},
		{"bytes=2-11", "cdefghijkl", nil, "bytes=7-11, all of it"},
		{"bytes=2-11", "cdefg", []edit{header("Content-Range", "bytes 2-11")}, ""},
		{"bytes=2-11", "cdefg", []edit{declares(11)}, ""},
		{"bytes=2-11", "cdefg", []edit{header("Etag")}, ""},
		{"bytes=0-1,3-9", "--", nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			then, whole := strings.CutSuffix(c.then, ", all of it")
			b := script(part(5, c.edits...), part(all))
			if whole {
				b = script(part(5), part(all, code(200), declares(26), holds(alphabet)))
			}
			req := request(t, "GET", "http://x/", nil)
			req.Header.Set("Range", c.asked)
			resp, err := (&insist.RetryTransport{Base: b, Policy: resuming()}).RoundTrip(req)
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if c.then != "" {
				assert.NoError(t, err)
				assert.Equal(t, c.want, string(got))
				assert.Equal(t, then, b.Arrivals()[1].Header.Get("Range"))
				assert.Equal(t, c.asked, req.Header.Get("Range"), "not ours to change")
			} else {
				assert.Equal(t, io.ErrUnexpectedEOF, err)
				assert.Contains(t, string(got), c.want)
				assert.Len(t, b.Arrivals(), 1)
			}
		})
	}
}
