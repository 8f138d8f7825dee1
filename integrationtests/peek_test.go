package integrationtests

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/jsonscan"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// runPeek sends a GET in virtual time, then lets check look at what the base saw.
func runPeek(t *testing.T, p insist.Policy, check func(*insisttest.Script), steps ...step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := script(steps...)
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/bot", nil))
		require.NoError(t, err)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		check(b)
	})
}

var not0 = insist.Policy{Backoff: insist.Constant(time.Minute), RetryableBody: insist.JSONFieldNot("/ret_code", 0)}

func TestABusinessErrorIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, record := insist.WithRecord(t.Context())
		b := script(servertest.Content(`{"ret_code": 5000}`), servertest.Content(`{"ret_code": 0, "a": 1}`))
		resp, err := (&insist.RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
		require.NoError(t, err)
		assert.Equal(t, `{"ret_code": 0, "a": 1}`, text(t, resp))
		assert.Equal(t, []time.Duration{time.Minute}, b.Waits())
		assert.Equal(t, 1, b.Bodies()[0].Closes())
		assert.Zero(t, b.Bodies()[1].Closes())
		resp.Body.Close()
		assert.Equal(t, 1, b.Bodies()[1].Closes())
		assert.Equal(t, insist.ReasonCondition, record.Calls()[0][0].Reason)
		assert.Equal(t, insist.ReasonSuccess, record.Calls()[0][1].Reason)
	})
}

func TestTheLastBusinessErrorIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := script(servertest.Content(`{"ret_code": 5000}`))
		resp, err := (&insist.RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "POST", "http://x/", strings.NewReader("x")))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, `{"ret_code": 5000}`, text(t, resp))
		assert.Len(t, b.Arrivals(), 3, "a response that says it failed: any method")
	})
}

func TestTheGateHoldsForConditionsToo(t *testing.T) {
	p := not0
	p.NonIdempotent = insist.ResendOnlyUnsent
	synctest.Test(t, func(t *testing.T) {
		b := script(servertest.Content(`{"ret_code": 5000}`))
		_, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "POST", "http://x/", nil))
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
			resp, _ := servertest.From(body)(r)
			for i := 0; i < len(c.header); i += 2 {
				resp.Header.Set(c.header[i], c.header[i+1])
			}
			if c.change != nil {
				c.change(req, resp)
			}
			return resp, nil
		}, servertest.Content(`{}`))
		if c.change != nil {
			c.change(req, &http.Response{})
		}
		p := not0
		p.Backoff = insist.Constant(0)
		resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(req)
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
		"short": `{"ret_code": 0}`, "key last": `{"a": "` + string(servertest.Pattern(20_000)) + `", "ret_code": 0}`,
		"past the bound": `{"a": "` + strings.Repeat("x", 100_000) + `", "ret_code": 1}`,
		"no JSON":        string(servertest.Pattern(3000)), "empty": "", "truncated": `{"ret_c`, "invalid UTF-8": "{\"\xff\": \"\xfe",
		"first": `{"ret_code": 0, "a": "` + strings.Repeat("x", 300_000) + `"}`,
	} {
		for kind, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r },
			"small": func(r io.Reader) io.Reader { return iotest.HalfReader(r) }, "with EOF": iotest.DataErrReader,
		} {
			for _, end := range []error{io.EOF, broken, io.ErrUnexpectedEOF} {
				b := script(servertest.From(func() io.Reader {
					return wrap(io.MultiReader(strings.NewReader(body), iotest.ErrReader(end)))
				}))
				p := not0
				p.Backoff = insist.Constant(0)
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
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
			b, start := script(servertest.From(func() io.Reader { return r })), time.Now()
			resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
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
		b := script(servertest.From(func() io.Reader { return servertest.Trickle(strings.NewReader(body)) }))
		resp, err := (&insist.RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil))
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, body, text(t, resp))
	})
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
		b, start := script(servertest.From(func() io.Reader { return r })), time.Now()
		resp, err := (&insist.RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil))
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

// TestTheFirstEventAgainstARealServer: what failed in its first event is retried; of what
// did not, the caller gets each event when the server has written it.
func TestTheFirstEventAgainstARealServer(t *testing.T) {
	var n atomic.Int32
	servertest.EachInMemory(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if n.Add(1)%2 == 1 {
			io.WriteString(w, "event: error\ndata: {\"error\": 1}\n\n")
			flush(w)
			<-r.Context().Done()
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"n\": %d}\n\n", i)
			flush(w)
			time.Sleep(time.Hour)
		}
	}, func(t *testing.T, base *http.Transport) {
		rt := quickly(base, func(p *insist.Policy) { p.RetryableEvent = insist.JSONField[any]("/error", nil) })
		for _, method := range []string{"GET", "POST"} {
			start, before := time.Now(), n.Load()
			resp, err := rt.RoundTrip(request(t, method, "http://mem/", strings.NewReader("{}")))
			require.NoError(t, err)
			assert.Equal(t, before+2, n.Load())
			lines := bufio.NewReader(resp.Body)
			for i := range 3 {
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprintf("data: {\"n\": %d}\n", i), line)
				lines.ReadString('\n')
				assert.Equal(t, time.Duration(i)*time.Hour, time.Since(start))
			}
			_, err = lines.ReadByte()
			assert.Equal(t, io.EOF, err)
			resp.Body.Close()
		}
	})
}

func TestTheContextEndsALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		b, start := script(servertest.From(func() io.Reader { return r })), time.Now()
		resp, err := (&insist.RetryTransport{Base: b, Policy: not0}).RoundTrip(request(t, "GET", "http://x/", nil).WithContext(ctx))
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
		p.Backoff, p.MaxPeekBytes = insist.Constant(0), c.bound
		runPeek(t, p, func(b *insisttest.Script) { assert.Len(t, b.Arrivals(), c.want, "%v", c) },
			servertest.Content(`{"a": "`+strings.Repeat("x", c.size)+`", "ret_code": 5000}`))
	}
	// A few zipped bytes may be many.
	p := not0
	p.Backoff = insist.Constant(0)
	bomb := compress(`{"a": "` + strings.Repeat("x", 10<<20) + `", "ret_code": 5000}`)
	runPeek(t, p, func(b *insisttest.Script) { assert.Len(t, b.Arrivals(), 1) },
		servertest.From(func() io.Reader { return bytes.NewReader(bomb) }, "Content-Encoding", "gzip"))
}

func TestNoLookWhileTheRequestIsStillBeingSent(t *testing.T) {
	for kind, get := range map[string]func() (io.ReadCloser, error){"recorded": nil, "GetBody": func() (io.ReadCloser, error) { return nil, errLost }} {
		pr, pw := io.Pipe()
		reads := 0
		body := servertest.ReaderFunc(func([]byte) (int, error) { reads++; return 0, io.EOF })
		b := roundTripper(func(req *http.Request) (*http.Response, error) {
			io.ReadFull(req.Body, make([]byte, 3)) // and answers early
			return servertest.From(func() io.Reader { return body })(req)
		})
		go pw.Write([]byte("abc"))
		req := request(t, "POST", "http://x/", pr)
		req.GetBody = get
		resp, err := quickly(b, func(p *insist.Policy) { p.RetryableBody = not0.RetryableBody }).RoundTrip(req)
		require.NoError(t, err, kind)
		assert.Zero(t, reads, "%s: untouched", kind)
		resp.Body.Close()
		pr.Close()
	}
}

// TestNothingIsReadWhileTheRequestIsStillBeingSent, neither an event nor the whole response:
// the caller may wait for the response before it writes more.
func TestNothingIsReadWhileTheRequestIsStillBeingSent(t *testing.T) {
	for name, edit := range map[string]func(*insist.Policy){
		"event": func(p *insist.Policy) { p.RetryableEvent = insist.JSONField[any]("/error", nil) },
		"whole": func(p *insist.Policy) { p.MaxWholeBytes = 1 << 20 },
	} {
		synctest.Test(t, func(t *testing.T) {
			pr, pw := io.Pipe()
			reads := 0
			body := servertest.ReaderFunc(func([]byte) (int, error) { reads++; return 0, io.EOF })
			contentType := map[string]string{"event": "text/event-stream", "whole": "text/plain"}[name]
			b := roundTripper(func(req *http.Request) (*http.Response, error) {
				resp, err := servertest.From(func() io.Reader { return body })(req)
				resp.Header.Set("Content-Type", contentType)
				return resp, err
			})
			resp, err := quickly(b, edit).RoundTrip(request(t, "PUT", "http://x/", pr))
			require.NoError(t, err)
			assert.Zero(t, reads, name)
			resp.Body.Close()
			pw.Close()
		})
	}
}

func TestAPanicInAConditionClosesTheBody(t *testing.T) {
	b := script(servertest.Content(`{}`))
	boom := func(*http.Request, *http.Response, int, io.Reader) insist.Decision { panic("boom") }
	assert.PanicsWithValue(t, "boom", func() {
		(&insist.RetryTransport{Base: b, Policy: insist.Policy{RetryableBody: boom}}).RoundTrip(request(t, "GET", "http://x/", nil))
	})
	assert.Equal(t, 1, b.Bodies()[0].Closes())
}

// empty gives nothing, and no error, for a long time.
type empty struct{ reads int }

func (e *empty) Read([]byte) (int, error) {
	if e.reads++; e.reads > 10_000 {
		return 0, io.EOF
	}
	return 0, nil
}

func TestABodyOfEmptyReadsIsHandedOver(t *testing.T) {
	for name, p := range map[string]insist.Policy{
		"condition": {RetryableBody: insist.JSONFieldNot("/ok", true)},
		"whole":     {MaxWholeBytes: 100},
		"both":      {MaxWholeBytes: 100, RetryableBody: insist.JSONFieldNot("/ok", true)},
	} {
		for _, n := range []int64{5, -1} {
			synctest.Test(t, func(t *testing.T) {
				src := new(empty)
				b := script(servertest.Sized(n, func() io.Reader { return src }))
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				assert.LessOrEqual(t, src.reads, 2*100, name)
				assert.Empty(t, text(t, resp))
				assert.Len(t, b.Arrivals(), 1)
				resp.Body.Close()
			})
		}
	}
}

// TestWhatStandsBetweenMayRead: a body that has been read whole already, and then
// by somebody else, is not the same any more.
func TestWhatStandsBetweenMayRead(t *testing.T) {
	for _, n := range []int64{0, 1, 12} {
		synctest.Test(t, func(t *testing.T) {
			p := insist.Policy{MaxWholeBytes: 100}
			inner := &insist.RetryTransport{Base: script(servertest.Plain("hello, world")), Policy: p}
			between := roundTripper(func(req *http.Request) (*http.Response, error) {
				resp, err := inner.RoundTrip(req)
				io.CopyN(io.Discard, resp.Body, n)
				return resp, err
			})
			resp, err := (&insist.RetryTransport{Base: between, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
			require.NoError(t, err)
			assert.Equal(t, "hello, world"[n:], text(t, resp))
			resp.Body.Close()
		})
	}
}

// TestAClosedBodyGivesNothing, as net/http's own, also to a Read that waits.
func TestAClosedBodyGivesNothing(t *testing.T) {
	for name, p := range map[string]insist.Policy{
		"condition": {RetryableBody: insist.JSONFieldNot("/ok", true)},
		"whole":     {MaxWholeBytes: 100},
	} {
		for _, rest := range []string{"", ", and the rest", "waits"} {
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go func() {
					if io.WriteString(w, `{"ok": true}`); rest != "waits" {
						io.WriteString(w, rest)
						w.Close()
					}
				}()
				b := script(servertest.Sized(-1, func() io.Reader { return r }))
				resp, err := (&insist.RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "GET", "http://x/", nil))
				require.NoError(t, err)
				ended := make(chan error)
				go func() {
					if rest == "waits" {
						io.CopyN(io.Discard, resp.Body, int64(len(`{"ok": true}`)))
						_, err := resp.Body.Read(make([]byte, 1))
						ended <- err
					}
					close(ended)
				}()
				synctest.Wait()
				resp.Body.Close()
				r.CloseWithError(errLost) // as net/http's own body is, then
				if rest == "waits" {
					assert.Error(t, <-ended, name)
				}
				<-ended
				n, err := resp.Body.Read(make([]byte, 1))
				assert.Zero(t, n, "%s %s", name, rest)
				assert.Error(t, err, "%s %s", name, rest)
				assert.NotEqual(t, io.EOF, err, "%s %s", name, rest)
			})
		}
	}
}

// inPlace is a jsonscan.Source that is not read by copying.
type inPlace struct{ pieces []string }

func (p *inPlace) Read([]byte) (int, error) { panic("its bytes were copied") }

func (p *inPlace) Next() ([]byte, error) {
	if len(p.pieces) == 0 {
		return nil, io.EOF
	}
	piece := p.pieces[0]
	p.pieces = p.pieces[1:]
	return []byte(piece), nil
}

// Nothing but this test shows it if a look copies the body: it works without.
func TestALookCopiesNothing(t *testing.T) {
	body := &inPlace{pieces: []string{`{"ret_`, `code": 5`, `000}`}}
	assert.Equal(t, insist.Retry, insist.JSONFieldNot("/ret_code", 0)(nil, nil, 1, body).Verdict)
	seen := false
	look := func(_ *http.Request, _ *http.Response, _ int, body io.Reader) (d insist.Decision) {
		source, ok := body.(jsonscan.Source)
		if assert.True(t, ok, "%T has no Next", body) {
			piece, err := source.Next()
			seen = err == nil && string(piece) == `{"a": 1}`
		}
		return d
	}
	runPeek(t, insist.Policy{RetryableBody: look}, func(*insisttest.Script) {}, servertest.Content(`{"a": 1}`))
	assert.True(t, seen)
}

// A condition sees the head and the attempt, too, and may set the wait.
func TestACustomCondition(t *testing.T) {
	var seen []int
	telegram := func(req *http.Request, resp *http.Response, attempt int, body io.Reader) insist.Decision {
		seen = append(seen, attempt)
		var answer struct {
			OK         bool
			Parameters struct {
				RetryAfter float64 `json:"retry_after"`
			}
		}
		if json.NewDecoder(body).Decode(&answer) != nil || answer.OK {
			return insist.Decision{}
		}
		assert.Equal(t, "/bot", req.URL.Path)
		assert.Equal(t, 200, resp.StatusCode)
		return insist.Decision{Verdict: insist.Retry, Wait: servertest.Seconds(answer.Parameters.RetryAfter)}
	}
	runPeek(t, insist.Policy{RetryableBody: telegram}, func(b *insisttest.Script) {
		assert.Equal(t, []int{1, 2}, seen)
		assert.Equal(t, servertest.Seconds(7), b.Waits()[0])
	}, servertest.Content(`{"ok": false, "parameters": {"retry_after": 7}}`), servertest.Content(`{"ok": true}`))
}

// Where the status says that it failed, the body still says for how long to wait.
func TestAConditionSetsTheWaitOfAFailedStatus(t *testing.T) {
	wait := func(_ *http.Request, resp *http.Response, attempt int, body io.Reader) insist.Decision {
		data, err := io.ReadAll(body)
		assert.NoError(t, err)
		assert.Equal(t, "Too Many Requests", string(data))
		return insist.Decision{Wait: servertest.Seconds(float64(5 * attempt))}
	}
	runPeek(t, insist.Policy{RetryableBody: wait}, func(b *insisttest.Script) {
		assert.Equal(t, []time.Duration{servertest.Seconds(5), servertest.Seconds(10)}, b.Waits())
		assert.Equal(t, 1, b.Bodies()[0].Closes())
	}, status(429))
	runPeek(t, insist.Policy{RetryableBody: wait, MaxRetryAfter: servertest.Seconds(7)}, func(b *insisttest.Script) {
		assert.Equal(t, []time.Duration{servertest.Seconds(5)}, b.Waits(), "bounded as a Retry-After is")
	}, status(429))
}

// A failed response that doesn't arrive holds the next attempt up no longer than
// draining it would.
func TestAConditionOnAFailedStatusHoldsNothingUp(t *testing.T) {
	runPeek(t, insist.Policy{RetryableBody: insist.JSONFieldNot("/a", 0), Backoff: insist.Constant(0)}, func(b *insisttest.Script) {
		assert.Less(t, b.Waits()[0], time.Second)
	}, func(r *http.Request) (*http.Response, error) {
		resp, err := servertest.From(func() io.Reader { return servertest.Trickle(strings.NewReader(strings.Repeat(" ", 30))) })(r)
		resp.StatusCode = 503
		return resp, err
	}, func(r *http.Request) (*http.Response, error) {
		time.Sleep(time.Minute) // virtual: the trickle ignores its Close
		return servertest.Content("{}")(r)
	})
}
