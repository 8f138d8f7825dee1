package servertest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// Fails is a step that reads the request and then fails with err.
func Fails(err error) insisttest.Step {
	return insisttest.After(0, func(*http.Request) (*http.Response, error) { return nil, err })
}

var (
	// ErrLost doesn't tell whether the request was processed.
	ErrLost = errors.New("the response was lost")
	// ErrUnsent proves that nothing was sent.
	ErrUnsent = &net.OpError{Op: "dial", Err: ErrLost}
)

// Request returns a request with the context of t.
func Request(t testing.TB, method, url string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}

// Text reads a response body to its end. It does not close it.
func Text(t testing.TB, resp *http.Response) string {
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}

// ReaderFunc is a Read method.
type ReaderFunc func([]byte) (int, error)

func (f ReaderFunc) Read(p []byte) (int, error) { return f(p) }

// RoundTripper is a RoundTrip method.
type RoundTripper func(*http.Request) (*http.Response, error)

func (f RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Seconds is n seconds.
func Seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// Content is a step that responds 200 with a JSON body of unknown length, as
// HTTP/1 allows.
func Content(body string, headers ...string) insisttest.Step {
	return From(func() io.Reader { return strings.NewReader(body) }, headers...)
}

// From is Content with a body from any reader.
func From(body func() io.Reader, headers ...string) insisttest.Step {
	return func(*http.Request) (*http.Response, error) {
		r := Response(200, append([]string{"Content-Type", "application/json"}, headers...)...)
		r.ProtoMajor, r.ContentLength = 1, -1
		r.Body = &insisttest.Body{Reader: body()}
		return r, nil
	}
}

// Trickle returns a reader that returns one byte of r every 100 ms.
func Trickle(r io.Reader) io.Reader { return &trickle{r} }

type trickle struct{ r io.Reader }

func (b *trickle) Read(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return b.r.Read(p[:1])
}

// Sized is a step that responds 200 with a body whose length is declared to be n;
// -1 means unknown.
func Sized(n int64, body func() io.Reader, headers ...string) insisttest.Step {
	return func(*http.Request) (*http.Response, error) {
		r := Response(200, headers...)
		r.ProtoMajor, r.ContentLength = 1, n
		r.Body = &insisttest.Body{Reader: body()}
		return r, nil
	}
}

// Plain is a step that responds 200 with body and its length.
func Plain(body string, headers ...string) insisttest.Step {
	return Sized(int64(len(body)), func() io.Reader { return strings.NewReader(body) }, headers...)
}

// Response returns a response without a body.
func Response(status int, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: http.NoBody}
}
