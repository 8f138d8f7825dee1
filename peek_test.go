package insist

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// content answers 200 with a JSON body, as on HTTP/1 with unknown length.
func content(body string, headers ...string) step {
	return from(func() io.Reader { return strings.NewReader(body) }, headers...)
}

func from(body func() io.Reader, headers ...string) step {
	return func(*http.Request) (*http.Response, error) {
		r := answer(200, append([]string{"Content-Type", "application/json"}, headers...)...)
		r.ProtoMajor, r.ContentLength = 1, -1
		r.Body = &insisttest.Body{Reader: body()}
		return r, nil
	}
}

// runPeek sends a GET in virtual time, then lets check look at what the base saw.
func runPeek(t *testing.T, p Policy, check func(*insisttest.Script), steps ...step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := script(steps...)
		resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/bot", nil))
		require.NoError(t, err)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		check(b)
	})
}

var not0 = Policy{Backoff: Constant(time.Minute), RetryableBody: JSONFieldNot("/ret_code", 0)}

func TestABusinessErrorIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := WithRecord(t.Context())
		b := script(content(`{"ret_code": 5000}`), content(`{"ret_code": 0, "a": 1}`))
		resp, err := (&RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, `{"ret_code": 0, "a": 1}`, text(t, resp))
		assert.Equal(t, []time.Duration{time.Minute}, b.Waits())
		assert.Equal(t, 1, b.Bodies()[0].Closes())
		assert.Zero(t, b.Bodies()[1].Closes())
		resp.Body.Close()
		assert.Equal(t, 1, b.Bodies()[1].Closes())
		assert.Equal(t, ReasonCondition, record.Calls()[0][0].Reason)
		assert.Equal(t, ReasonSuccess, record.Calls()[0][1].Reason)
	})
}

func TestTheLastBusinessErrorIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(content(`{"ret_code": 5000}`))
		resp, err := (&RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "POST", "http://x/", strings.NewReader("x")))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, `{"ret_code": 5000}`, text(t, resp))
		assert.Len(t, b.Arrivals(), 3, "an answer that says it failed: any method")
	})
}

func TestTheGateHoldsForConditionsToo(t *testing.T) {
	p := not0
	p.NonIdempotent = ResendOnlyUnsent
	synctest.Test(t, func(t *testing.T) {
		b := script(content(`{"ret_code": 5000}`))
		_, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "POST", "http://x/", nil))
		require.NoError(t, err)
		assert.Len(t, b.Arrivals(), 1)
	})
}

// TestWhatIsLookedInto is a line per kind of response.
func TestWhatIsLookedInto(t *testing.T) {
	const bad = `{"ret_code": 5000}`
	zipped := func() io.Reader { return bytes.NewReader(compress(bad)) }
	head := func(method string, status int, length int64) func(*http.Request, *http.Response) {
		return func(req *http.Request, r *http.Response) {
			req.Method, r.StatusCode, r.ContentLength = method, status, length
		}
	}
	for _, c := range []struct {
		name   string
		header []string
		body   func() io.Reader
		change func(*http.Request, *http.Response)
		want   int
	}{
		{"JSON", nil, nil, nil, 2},
		{"JSON with charset", []string{"Content-Type", "application/json; charset=utf-8"}, nil, nil, 2},
		{"text/plain", []string{"Content-Type", "text/plain"}, nil, nil, 2},
		{"text/html", []string{"Content-Type", "text/html"}, nil, nil, 2},
		{"octet-stream", []string{"Content-Type", "application/octet-stream"}, nil, nil, 2},
		{"no type", []string{"Content-Type", ""}, nil, nil, 2},
		{"problem+json", []string{"Content-Type", "application/problem+json"}, nil, nil, 2},
		{"a status that no rule takes", nil, nil, head("GET", 400, -1), 2},
		{"known length", nil, nil, head("GET", 200, int64(len(bad))), 2},
		{"gzip that the caller asked for", []string{"Content-Encoding", "gzip"}, zipped, nil, 2},
		{"x-gzip", []string{"Content-Encoding", "x-gzip"}, zipped, nil, 2},
		{"identity", []string{"Content-Encoding", "identity"}, nil, nil, 2},
		{"gzip that is none", []string{"Content-Encoding", "gzip"}, nil, nil, 1},
		{"unknown encoding", []string{"Content-Encoding", "br"}, nil, nil, 1},
		{"events", []string{"Content-Type", "text/event-stream; charset=utf-8"}, nil, nil, 1},
		{"NDJSON", []string{"Content-Type", "application/x-ndjson"}, nil, nil, 1},
		{"lines of JSON", []string{"Content-Type", "application/jsonl"}, nil, nil, 1},
		{"a sequence of JSON", []string{"Content-Type", "application/json-seq"}, nil, nil, 1},
		{"events, in capitals", []string{"Content-Type", "TEXT/EVENT-STREAM"}, nil, nil, 1},
		{"events, with a bad parameter", []string{"Content-Type", "text/event-stream; a=1; a=2"}, nil, nil, 1},
		{"gRPC", []string{"Content-Type", "application/grpc+proto"}, nil, nil, 1},
		{"multipart", []string{"Content-Type", "multipart/mixed; boundary=x"}, nil, nil, 1},
		{"an image", []string{"Content-Type", "image/png"}, nil, nil, 1},
		{"HEAD", nil, nil, head("HEAD", 200, 18), 1},
		{"CONNECT", nil, nil, head("CONNECT", 200, -1), 1},
		{"101", nil, nil, head("GET", 101, -1), 1},
		{"204", nil, nil, head("GET", 204, -1), 1},
		{"304", nil, nil, head("GET", 304, -1), 1},
		{"a length of 0 beside a body, as a hand-made response has", nil, nil, head("GET", 200, 0), 2},
		{"GZIP", []string{"Content-Encoding", "GZIP"}, zipped, nil, 2},
		{"X-GZIP, with spaces", []string{"Content-Encoding", " X-GZIP\t"}, zipped, nil, 2},
		{"Identity", []string{"Content-Encoding", "Identity"}, nil, nil, 2},
		{"gzip, identity", []string{"Content-Encoding", "gzip, identity"}, zipped, nil, 2},
		{"gzip twice", []string{"Content-Encoding", "gzip, gzip"}, zipped, nil, 1},
		{"gzip, then another", []string{"Content-Encoding", "gzip, br"}, zipped, nil, 1},
	} {
		body := c.body
		if body == nil {
			body = func() io.Reader { return strings.NewReader(bad) }
		}
		req := request(t, "GET", "http://x/", nil)
		b := script(func(r *http.Request) (*http.Response, error) {
			resp, _ := from(body)(r)
			for i := 0; i < len(c.header); i += 2 {
				resp.Header.Set(c.header[i], c.header[i+1])
			}
			if c.change != nil {
				c.change(req, resp)
			}
			return resp, nil
		}, content(`{}`))
		if c.change != nil {
			c.change(req, &http.Response{})
		}
		p := not0
		p.Backoff = Constant(0)
		resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(req)
		require.NoError(t, err, c.name)
		assert.Len(t, b.Arrivals(), c.want, c.name)
		if c.want == 1 {
			want, _ := io.ReadAll(body())
			assert.Equal(t, string(want), text(t, resp), c.name)
		}
	}
}

func compress(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.Bytes()
}

// Nothing is changed: every byte, and the error, at the same place.
func TestTheBodyIsHandedOverAsItCame(t *testing.T) {
	broken := errors.New("connection reset")
	for name, body := range map[string]string{
		"short": `{"ret_code": 0}`, "key last": `{"a": "` + pattern(20_000) + `", "ret_code": 0}`,
		"past the bound": `{"a": "` + strings.Repeat("x", 100_000) + `", "ret_code": 1}`,
		"no JSON":        pattern(3000), "empty": "", "truncated": `{"ret_c`, "invalid UTF-8": "{\"\xff\": \"\xfe",
		"first": `{"ret_code": 0, "a": "` + strings.Repeat("x", 300_000) + `"}`,
	} {
		for kind, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r },
			"small": func(r io.Reader) io.Reader { return iotest.HalfReader(r) }, "with EOF": iotest.DataErrReader,
		} {
			for _, end := range []error{io.EOF, broken, io.ErrUnexpectedEOF} {
				b := script(from(func() io.Reader {
					return wrap(io.MultiReader(strings.NewReader(body), iotest.ErrReader(end)))
				}))
				p := not0
				p.Backoff = Constant(0)
				resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				if end == io.EOF {
					end = nil
				}
				assert.Equal(t, end, err, "%s %s", name, kind)
				assert.True(t, body == string(got), "%s %s: got %d bytes of %d", name, kind, len(got), len(body))
				assert.Len(t, b.Arrivals(), 1, "%s %s", name, kind)
				_, again := resp.Body.Read(make([]byte, 1))
				assert.Error(t, again)
			}
		}
	}
}

func TestABodyThatDoesNotArriveIsHandedOver(t *testing.T) {
	for bound, want := range map[time.Duration]time.Duration{0: time.Second, 3 * time.Second: 3 * time.Second, -1: 0} {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe()
			p := not0
			p.MaxPeekTime = bound
			b, start := script(from(func() io.Reader { return r })), time.Now()
			resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(start))
			go func() {
				for _, s := range []string{`{"ret_`, `code": `, `5000}`} {
					w.Write([]byte(s))
					time.Sleep(time.Hour)
				}
				w.Close()
			}()
			assert.Equal(t, `{"ret_code": 5000}`, text(t, resp), "whole, though a Read was pending")
			assert.Len(t, b.Arrivals(), 1)
		})
	}
}

func TestATrickleIsHandedOverWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, start := `{"a": "`+strings.Repeat("x", 100)+`", "ret_code": 5000}`, time.Now()
		b := script(from(func() io.Reader { return &trickle{strings.NewReader(body)} }))
		resp, err := (&RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, body, text(t, resp))
	})
}

// trickle gives a byte every 100 ms.
type trickle struct{ r io.Reader }

func (b *trickle) Read(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return b.r.Read(p[:1])
}

// A watch: one event, then silence. It is the caller's with the first event.
func TestAWatchIsHandedOverWithItsFirstEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const event = `{"type":"ADDED","object":{"kind":"Pod"}}` + "\n"
		r, w := io.Pipe()
		go func() {
			w.Write([]byte(event))
			time.Sleep(time.Hour)
			w.Close()
		}()
		b, start := script(from(func() io.Reader { return r })), time.Now()
		resp, err := (&RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		got := make([]byte, len(event))
		_, err = io.ReadFull(resp.Body, got)
		require.NoError(t, err)
		assert.Equal(t, event, string(got))
		assert.Zero(t, time.Since(start))
		assert.NoError(t, resp.Body.Close())
		r.Close()
		time.Sleep(2 * time.Hour)
	})
}

func TestTheContextEndsALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		b, start := script(from(func() io.Reader { return r })), time.Now()
		resp, err := (&RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
		assert.Equal(t, 200, resp.StatusCode)
	})
}

func TestPeekBytesAreBounded(t *testing.T) {
	for _, c := range []struct {
		bound int64
		size  int
		want  int
	}{{0, 60_000, 3}, {0, 70_000, 1}, {100, 50, 3}, {100, 120, 1}, {-1, 0, 1}, {1 << 20, 500_000, 3}} {
		p := not0
		p.Backoff, p.MaxPeekBytes = Constant(0), c.bound
		runPeek(t, p, func(b *insisttest.Script) { assert.Len(t, b.Arrivals(), c.want, "%v", c) },
			content(`{"a": "`+strings.Repeat("x", c.size)+`", "ret_code": 5000}`))
	}
	// A few zipped bytes may be many.
	p := not0
	p.Backoff = Constant(0)
	bomb := compress(`{"a": "` + strings.Repeat("x", 10<<20) + `", "ret_code": 5000}`)
	runPeek(t, p, func(b *insisttest.Script) { assert.Len(t, b.Arrivals(), 1) },
		from(func() io.Reader { return bytes.NewReader(bomb) }, "Content-Encoding", "gzip"))
}

func TestNoLookWhileTheRequestIsStillBeingSent(t *testing.T) {
	for kind, get := range map[string]func() (io.ReadCloser, error){"recorded": nil, "GetBody": func() (io.ReadCloser, error) { return nil, errLost }} {
		pr, pw := io.Pipe()
		reads := 0
		body := readerFunc(func([]byte) (int, error) { reads++; return 0, io.EOF })
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			io.ReadFull(req.Body, make([]byte, 3)) // and answers early
			return from(func() io.Reader { return body })(req)
		})
		go pw.Write([]byte("abc"))
		req := request(t, "POST", "http://x/", pr)
		req.GetBody = get
		resp, err := quickly(b, func(p *Policy) { p.RetryableBody = not0.RetryableBody }).RoundTrip(req)
		require.NoError(t, err, kind)
		assert.Zero(t, reads, "%s: untouched", kind)
		resp.Body.Close()
		pr.Close()
	}
}

func TestAPanicInAConditionClosesTheBody(t *testing.T) {
	b := script(content(`{}`))
	boom := func(*http.Request, *http.Response, int, io.Reader) Decision { panic("boom") }
	assert.PanicsWithValue(t, "boom", func() {
		(&RetryTransport{Base: b, Policy: Policy{RetryableBody: boom}}).RoundTrip(request(t, "GET", "http://x/", nil))
	})
	assert.Equal(t, 1, b.Bodies()[0].Closes())
}
