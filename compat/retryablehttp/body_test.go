package retryablehttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// source is a reader that counts how often it was closed.
type source struct {
	io.Reader
	closes int
}

func (s *source) Close() error { s.closes++; return nil }

type plain struct{ io.Reader }

// after returns r without its first byte.
func after[R io.Reader](r R) R {
	_, _ = r.Read(make([]byte, 1))
	return r
}

func tempFile(t *testing.T, text string) *os.File {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.WriteString(text)
	require.NoError(t, err)
	return f // at its end
}

func TestBodies(t *testing.T) {
	for name, test := range map[string]struct {
		body    any
		want    string
		says    int64 // the request's ContentLength before it is sent
		length  int64 // and when it is
		isBytes bool  // BodyBytes returns some, maybe none
	}{
		"nil":            {body: nil},
		"no bytes":       {body: []byte{}, isBytes: true},
		"bytes":          {body: []byte("hello"), want: "hello", says: 5, length: 5, isBytes: true},
		"buffer":         {body: after(bytes.NewBufferString("hello")), want: "ello", says: 4, length: 4, isBytes: true},
		"empty buffer":   {body: new(bytes.Buffer), isBytes: true},
		"bytes.Reader":   {body: after(bytes.NewReader([]byte("hello"))), want: "ello", says: 4, length: 4, isBytes: true},
		"strings.Reader": {body: after(strings.NewReader("hello")), want: "ello", says: 4, length: 4, isBytes: true},
		"http.NoBody":    {body: http.NoBody, isBytes: true},
		"reader":         {body: plain{strings.NewReader("hello")}, want: "hello", says: 5, length: 5, isBytes: true},
		"empty reader":   {body: plain{strings.NewReader("")}, isBytes: true},
		"seeker":         {body: after(struct{ io.ReadSeeker }{strings.NewReader("hello")}), want: "hello", isBytes: true},
		"section":        {body: io.NewSectionReader(strings.NewReader("hello"), 1, 3), want: "ell", isBytes: true},
		"file":           {body: tempFile(t, "hello"), want: "hello", isBytes: true},
		"func":           {body: func() (io.Reader, error) { return plain{strings.NewReader("hello")}, nil }, want: "hello", isBytes: true},
		"ReaderFunc":     {body: ReaderFunc(func() (io.Reader, error) { return strings.NewReader("hello"), nil }), want: "hello", says: 5, length: 5, isBytes: true},
		"func of nil":    {body: func() (io.Reader, error) { return nil, nil }, isBytes: true},
	} {
		bubble(t, name, func(t *testing.T) {
			req, err := NewRequest(http.MethodPut, "http://example.com", test.body)
			require.NoError(t, err)
			assert.Equal(t, test.says, req.ContentLength)

			data, err := req.BodyBytes()
			assert.NoError(t, err)
			assert.Equal(t, test.isBytes, data != nil)
			assert.Equal(t, test.want, string(data))
			var text strings.Builder
			n, err := req.WriteTo(&text)
			assert.NoError(t, err)
			assert.EqualValues(t, len(test.want), n)
			assert.Equal(t, test.want, text.String())

			for range 2 { // a request can be used again
				c, b := play(status(503), fails(errors.New("reset")), status(200))
				resp, err := c.Do(req)
				require.NoError(t, err)
				resp.Body.Close()
				assert.Equal(t, []string{test.want, test.want, test.want}, b.bodies())
				for _, s := range b.sent {
					assert.Equal(t, test.length, s.length)
					assert.Equal(t, test.want == "", s.none)
				}
			}
		})
	}
}

func TestNoBodies(t *testing.T) {
	broken := errors.New("broken")
	for name, body := range map[string]any{
		"text":                "hello",
		"number":              5,
		"nil buffer":          (*bytes.Buffer)(nil),
		"nil bytes.Reader":    (*bytes.Reader)(nil),
		"nil strings.Reader":  (*strings.Reader)(nil),
		"nil ReaderFunc":      ReaderFunc(nil),
		"nil func":            (func() (io.Reader, error))(nil),
		"func that fails":     func() (io.Reader, error) { return nil, broken },
		"reader that breaks":  iotest.ErrReader(broken),
		"after some of it":    io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)),
		"a pointer to a text": new(string),
	} {
		_, err := NewRequest(http.MethodPut, "http://example.com", body)
		assert.Error(t, err, name)

		req, err := NewRequest(http.MethodPut, "http://example.com", nil)
		require.NoError(t, err)
		assert.Error(t, req.SetBody(body), name)
		c, b := play(status(200))
		_, err = c.Do(req) // gitlab's client-go does so
		assert.Error(t, err, name)
		assert.Empty(t, b.sent, name)
	}
}

func TestReaderFuncIsCalledAndClosedForEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*source
		req, err := NewRequest(http.MethodPut, "http://example.com", func() (io.Reader, error) {
			all = append(all, &source{Reader: strings.NewReader("hello")})
			return all[len(all)-1], nil
		})
		require.NoError(t, err)
		c, b := play(status(503), status(503), status(200))
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Len(t, b.sent, 3)
		assert.Len(t, all, 4) // once for the length
		for _, s := range all {
			assert.Positive(t, s.closes)
		}
	})
}

// Readers of one body have nothing in common: one that a hook reads, or that an
// attempt left behind, moves no other one.
func TestReadersOfASeekerAreIndependent(t *testing.T) {
	for name, body := range map[string]any{
		"file":   tempFile(t, "hello"),
		"seeker": struct{ io.ReadSeeker }{strings.NewReader("hello")},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := NewRequest(http.MethodPut, "http://example.com", body)
			require.NoError(t, err)
			one, err := req.GetBody()
			require.NoError(t, err)
			one.Read(make([]byte, 2))
			two, err := req.GetBody()
			require.NoError(t, err)
			two.Read(make([]byte, 4))
			data, err := io.ReadAll(one)
			assert.NoError(t, err)
			assert.Equal(t, "llo", string(data))
		})
	}
}

func TestAPipeIsNoSeeker(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	w.WriteString("hello")
	w.Close()
	req, err := NewRequest(http.MethodPut, "http://example.com", r)
	require.NoError(t, err)
	assert.EqualValues(t, 5, req.ContentLength)
}

func TestMaxBufferedBytes(t *testing.T) {
	defer func(before int64) { MaxBufferedBytes = before }(MaxBufferedBytes)
	for name, test := range map[string]struct {
		limit    int64
		body     io.Reader
		attempts int
		length   int64 // as sent
	}{
		"shorter":                 {6, plain{strings.NewReader("hello")}, 2, 5},
		"just as long":            {5, plain{strings.NewReader("hello")}, 2, 5},
		"longer":                  {4, plain{strings.NewReader("hello")}, 1, -1},
		"longer, length known":    {4, bytesWithLen{strings.NewReader("hello")}, 1, 5},
		"nothing is read before":  {-1, plain{strings.NewReader("hello")}, 2, -1}, // the engine keeps it
		"no bound":                {math.MaxInt64, plain{strings.NewReader("hello")}, 2, 5},
		"seekers are not bounded": {1, struct{ io.ReadSeeker }{strings.NewReader("hello")}, 2, -1},
	} {
		bubble(t, name, func(t *testing.T) {
			MaxBufferedBytes = test.limit
			body := test.body
			closed := &source{Reader: body}
			if _, ok := body.(io.Seeker); !ok && test.length != 5 {
				body = closed
			}
			req, err := NewRequest(http.MethodPut, "http://example.com", body)
			require.NoError(t, err)
			c, b := play(status(503), status(200))
			resp, err := c.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
			want := []string{"hello", "hello"}[:test.attempts]
			assert.Equal(t, want, b.bodies())
			if test.length < 0 {
				assert.LessOrEqual(t, b.sent[0].length, int64(0))
			} else {
				assert.Equal(t, test.length, b.sent[0].length)
			}
			if body == io.Reader(closed) {
				assert.Positive(t, closed.closes)
				_, err = c.Do(req)
				assert.Equal(t, errOnce, err, "it has been sent")
			}
		})
	}
}

type bytesWithLen struct{ r *strings.Reader }

func (b bytesWithLen) Read(p []byte) (int, error) { return b.r.Read(p) }
func (b bytesWithLen) Len() int                   { return b.r.Len() }

func TestALongBodyCanBeReadBeforeItIsSent(t *testing.T) {
	defer func(before int64) { MaxBufferedBytes = before }(MaxBufferedBytes)
	MaxBufferedBytes = 2
	synctest.Test(t, func(t *testing.T) {
		req, err := NewRequest(http.MethodPut, "http://example.com", plain{strings.NewReader("hello")})
		require.NoError(t, err)
		data, err := req.BodyBytes()
		require.NoError(t, err)
		assert.Equal(t, "hello", string(data))
		c, b := play(status(503), status(200))
		resp, err := c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"hello", "hello"}, b.bodies())
	})
}

func TestFromRequest(t *testing.T) {
	withGetBody := func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("hello")), nil }
	}
	for name, change := range map[string]func(*http.Request){
		"once":         func(*http.Request) {},
		"once, length": func(r *http.Request) { r.ContentLength = 5 },
		"GetBody":      withGetBody,
		"GetBody that rewinds": func(r *http.Request) {
			shared := strings.NewReader("hello")
			r.GetBody = func() (io.ReadCloser, error) {
				shared.Seek(0, io.SeekStart)
				return io.NopCloser(shared), nil
			}
			r.Body, _ = r.GetBody()
		},
	} {
		for _, read := range []bool{false, true} {
			bubble(t, name, func(t *testing.T) {
				body := &source{Reader: strings.NewReader("hello")}
				httpReq, err := http.NewRequest(http.MethodPut, "http://example.com", body)
				require.NoError(t, err)
				change(httpReq)
				before := *httpReq
				req, err := FromRequest(httpReq)
				require.NoError(t, err)
				if read {
					data, err := req.BodyBytes()
					assert.NoError(t, err)
					assert.Equal(t, "hello", string(data))
				}
				c, b := play(status(503), status(503), status(200))
				resp, err := c.Do(req)
				require.NoError(t, err)
				resp.Body.Close()
				assert.Equal(t, []string{"hello", "hello", "hello"}, b.bodies())
				assert.Same(t, httpReq, req.Request)
				assert.Equal(t, before.ContentLength, httpReq.ContentLength)
				assert.Equal(t, before.GetBody == nil, httpReq.GetBody == nil)
				if !strings.HasPrefix(name, "GetBody") || name == "GetBody" && !read {
					assert.Positive(t, body.closes)
				}
			})
		}
	}
}

// A body that is being read before it is sent does not outlive the caller.
func TestFromRequestEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://example.com", r)
		require.NoError(t, err)
		go func() { w.Write([]byte("hello")); cancel() }()
		c, b := play(status(200))
		_, err = c.StandardClient().Do(req)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, b.sent)
		_, err = w.Write([]byte("x"))
		assert.ErrorIs(t, err, io.ErrClosedPipe)
	})
}

// A Request may be changed in place, or made by hand.
func TestBodySetByHand(t *testing.T) {
	hand := func() io.ReadCloser { return &source{Reader: strings.NewReader("hand")} }
	for name, make := range map[string]func() *Request{
		"over none": func() *Request {
			req, _ := NewRequest(http.MethodPut, "http://example.com", nil)
			req.Body = hand()
			return req
		},
		"with GetBody": func() *Request {
			req, _ := NewRequest(http.MethodPut, "http://example.com", nil)
			req.Body, req.GetBody = hand(), func() (io.ReadCloser, error) { return hand(), nil }
			return req
		},
		"literal": func() *Request {
			httpReq, _ := http.NewRequest(http.MethodPut, "http://example.com", nil)
			httpReq.Body, httpReq.Header = hand(), nil
			return &Request{Request: httpReq}
		},
	} {
		bubble(t, name, func(t *testing.T) {
			c, b := play(status(503), status(200))
			resp, err := c.Do(make())
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, []string{"hand", "hand"}, b.bodies())
		})
	}
}

func TestAFileIsSentFromWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := tempFile(t, "hello")
		f.Seek(2, io.SeekStart)
		req, err := http.NewRequest(http.MethodPut, "http://example.com", f)
		require.NoError(t, err)
		c, b := play(status(503), status(200))
		resp, err := c.StandardClient().Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, []string{"llo", "llo"}, b.bodies())
		_, err = f.Stat()
		assert.ErrorIs(t, err, os.ErrClosed)
	})
}

// The caller's own error is not the network's.
func TestABodyThatBreaksIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		opened := 0
		req, err := NewRequest(http.MethodPut, "http://example.com", func() (io.Reader, error) {
			opened++
			return io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)), nil
		})
		require.NoError(t, err)
		c, _ := play(status(200))
		_, err = c.Do(req)
		assert.EqualError(t, err, "PUT http://example.com giving up after 1 attempt(s): broken")
		assert.ErrorIs(t, err, broken)
		assert.Equal(t, 2, opened, "once for the length")
	})
}
