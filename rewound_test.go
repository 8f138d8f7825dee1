package insist

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/chunk"

	"github.com/seed-552c89fc/insist/internal/reqbody"
)

// TestAGetBodyThatDoesNotRewind: what is left of a reader is not sent as if it were
// the whole body. That of imroc/req returns the reader it was given, and the length
// is not known.
func TestAGetBodyThatDoesNotRewind(t *testing.T) {
	text := pattern(100_000)
	for _, c := range []struct {
		name    string
		read    int64 // of the body, by the first attempt
		length  int64
		getBody func(body *strings.Reader, same io.ReadCloser) io.ReadCloser
		err     error
	}{
		{"all read", 1e6, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"most read", 70_000, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"some read of a value", 10, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"some read", 10, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"length known", 10, 100_000, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, reqbody.ErrNotRewound},
		{"nothing read", 0, -1, func(_ *strings.Reader, same io.ReadCloser) io.ReadCloser { return same }, nil},
		{"another reader of the same", 1e6, -1, func(body *strings.Reader, _ io.ReadCloser) io.ReadCloser { return hidden(body) }, reqbody.ErrNotRewound},
		{"a shorter one", 1e6, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return hidden(strings.NewReader(text[:99_999])) }, reqbody.ErrNotRewound},
		{"rewound", 70_000, -1, func(body *strings.Reader, same io.ReadCloser) io.ReadCloser {
			body.Seek(0, io.SeekStart)
			return same
		}, nil},
		{"anew", 1e6, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return hidden(strings.NewReader(text)) }, nil},
		{"a bad count", 10, -1, func(*strings.Reader, io.ReadCloser) io.ReadCloser { return badCount{} }, chunk.ErrBadRead},
	} {
		body := strings.NewReader(text)
		same := hidden(body)
		if strings.HasSuffix(c.name, "value") {
			same = io.NopCloser(struct{ io.Reader }{body})
		}
		req := request(t, "PUT", "http://x/", same)
		req.ContentLength = c.length
		req.GetBody = func() (io.ReadCloser, error) { return c.getBody(body, same), nil }
		n := 0
		_, err := quickly(roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				io.CopyN(io.Discard, r.Body, c.read)
				return answer(503), nil
			}
			data, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			assert.True(t, text == string(data), "%s: %d bytes sent", c.name, len(data))
			return answer(200), nil
		})).RoundTrip(req)
		require.ErrorIs(t, err, c.err, c.name)
		assert.Equal(t, 2, n, c.name)
	}
}

// hidden is a body of which only Read and Close are to be seen.
func hidden(r io.Reader) io.ReadCloser {
	return &struct {
		io.Reader
		io.Closer
	}{r, io.NopCloser(nil)}
}

type badCount struct{}

func (badCount) Read(p []byte) (int, error) { return len(p) + 1, nil }
func (badCount) Close() error               { return nil }
