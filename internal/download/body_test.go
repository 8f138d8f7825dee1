package download

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/head"
)

const alphabet = "abcdefghijklmnopqrstuvwxyz"

var errCut = errors.New("the line was cut")

// source is the body of a part: it returns data and then err, and counts its closes.
type source struct {
	data   string
	err    error
	closes int
	onRead func() // which ends the Read in err
}

func (s *source) Read(p []byte) (int, error) {
	if s.closes > 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	if s.onRead != nil {
		s.onRead()
		return 0, errCut
	}
	if s.data == "" {
		return 0, s.err
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *source) Close() error { s.closes++; return nil }

// from returns the response to a request for the bytes from first on, truncated after
// n bytes; an n of all that is left is no truncation.
func from(first, n int) *http.Response {
	body := &source{data: alphabet[first : first+n], err: io.EOF}
	if first+n < len(alphabet) {
		body.err = errCut
	}
	return &http.Response{
		StatusCode: http.StatusPartialContent, ContentLength: int64(len(alphabet) - first), Body: body,
		Header: http.Header{
			"Etag":          {`"v1"`},
			"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", first, len(alphabet)-1, len(alphabet))},
		},
	}
}

// start returns the body of a download whose first response is truncated after five
// bytes.
func start(t *testing.T, rest Rest) (*Body, *source) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://x/", nil)
	require.NoError(t, err)
	resp := from(0, 5)
	resp.StatusCode = http.StatusOK
	r := head.Range{End: int64(len(alphabet)), Total: int64(len(alphabet))}
	return New(req, resp, r, validatorOf(resp), rest), resp.Body.(*source)
}

// accepted returns resp once p has accepted it.
func accepted(t *testing.T, p *Part, resp *http.Response) (*http.Response, error) {
	assert.Empty(t, p.Accept(resp))
	return resp, nil
}

func TestTheRest(t *testing.T) {
	var ranges []string
	b, first := start(t, func(p *Part) (*http.Response, error) {
		h := http.Header{}
		p.SetHeader(h)
		assert.Equal(t, `"v1"`, h.Get("If-Range"))
		assert.Equal(t, errCut, p.Err)
		ranges = append(ranges, h.Get("Range"))
		if len(ranges) == 1 {
			return accepted(t, p, from(5, 10))
		}
		return accepted(t, p, from(15, 11))
	})
	got, err := io.ReadAll(b)
	assert.NoError(t, err)
	assert.Equal(t, alphabet, string(got))
	assert.Equal(t, []string{"bytes=5-", "bytes=15-"}, ranges)
	assert.Equal(t, 1, first.closes, "before the next part is requested")
	assert.NoError(t, b.Close())
}

func TestNoRest(t *testing.T) {
	errNobody := errors.New("nobody is left")
	for _, c := range []struct{ err, want error }{{nil, errCut}, {errNobody, errNobody}} {
		b, _ := start(t, func(*Part) (*http.Response, error) { return nil, c.err })
		got, err := io.ReadAll(b)
		assert.Equal(t, c.want, err)
		assert.Equal(t, alphabet[:5], string(got))
		_, again := b.Read(make([]byte, 1))
		assert.Equal(t, c.want, again, "the end stays the end")
		assert.NoError(t, b.Close())
		_, again = b.Read(make([]byte, 1))
		assert.Equal(t, c.want, again)
	}
}

// TestStates: what Read returns where Close or a panic comes in between.
func TestStates(t *testing.T) {
	read := func(b *Body) error { _, err := b.Read(make([]byte, 5)); return err }
	for _, c := range []struct {
		name string
		rest func(*Body) // while the next part is requested
		do   func(*Body)
		want error
	}{
		{"closed at once", nil, func(b *Body) { b.Close() }, http.ErrBodyReadAfterClose},
		{"closed while truncated", nil, func(b *Body) {
			read(b)
			b.endPart(errCut) // as if it had come with the last bytes
			b.Close()
		}, errCut},
		{"closed while requesting", func(b *Body) { b.Close() }, func(b *Body) { read(b); read(b) }, http.ErrBodyReadAfterClose},
		{"panicked while requesting", func(*Body) { panic(errCut) }, func(b *Body) {
			defer func() { recover() }()
			read(b)
			read(b)
		}, errCut},
		{"panicked, then closed", func(*Body) { panic(errCut) }, func(b *Body) {
			defer b.Close()
			defer func() { recover() }()
			read(b)
			read(b)
		}, errCut},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b *Body
			late := from(5, 21)
			b, first := start(t, func(p *Part) (*http.Response, error) {
				c.rest(b)
				return accepted(t, p, late)
			})
			c.do(b)
			for range 2 {
				n, err := b.Read(make([]byte, 5))
				assert.Zero(t, n)
				assert.Equal(t, c.want, err)
			}
			assert.NoError(t, b.Close())
			assert.NotZero(t, first.closes)
			if c.name == "closed while requesting" {
				assert.Equal(t, 1, late.Body.(*source).closes)
			}
			if b.ctx != nil {
				assert.Error(t, b.ctx.Err())
			}
		})
	}
}

// TestBodiesThatReturnNothing: an empty Read, and a part that returns no bytes and no
// error, are passed on.
func TestBodiesThatReturnNothing(t *testing.T) {
	b, first := start(t, nil)
	first.data, first.err = "", nil
	for _, size := range []int{0, 1} {
		n, err := b.Read(make([]byte, size))
		assert.Zero(t, n)
		assert.NoError(t, err)
	}
	assert.NoError(t, b.Close())
}

// TestCloseEndsARead: a Read that Close has ended returns the part's error, and nothing
// is requested.
func TestCloseEndsARead(t *testing.T) {
	b, first := start(t, func(*Part) (*http.Response, error) { panic("requested more") })
	first.onRead = func() { b.Close() }
	_, err := b.Read(make([]byte, 5))
	assert.Equal(t, errCut, err)
	_, err = b.Read(make([]byte, 5))
	assert.Equal(t, errCut, err)
}

// TestTheSameVersionIsShorter: of two responses of unknown length the second may be
// shorter than what has been read of the first. Then it is truncated.
func TestTheSameVersionIsShorter(t *testing.T) {
	for _, c := range []struct {
		all  string
		want error
	}{{"abcd", io.ErrUnexpectedEOF}, {"abcde", io.EOF}, {"abcdef", io.EOF}} {
		requests := 0
		b, _ := start(t, func(p *Part) (*http.Response, error) {
			if requests++; requests == 2 {
				return nil, nil
			}
			resp := from(0, 0)
			resp.StatusCode, resp.ContentLength, resp.Body = http.StatusOK, -1, &source{data: c.all, err: io.EOF}
			return accepted(t, p, resp)
		})
		b.end, b.total = -1, -1
		got, err := io.ReadAll(b)
		if err == nil {
			err = io.EOF
		}
		assert.Equal(t, c.want, err)
		assert.Equal(t, alphabet[:max(5, len(c.all))], string(got))
		b.Close()
	}
}

func TestAPartWithoutABody(t *testing.T) {
	b, _ := start(t, func(p *Part) (*http.Response, error) {
		resp := from(5, 21)
		resp.Body = nil
		assert.Equal(t, head.BadRange, p.Accept(resp))
		assert.False(t, p.Accepted())
		return nil, nil
	})
	_, err := io.ReadAll(b)
	assert.Equal(t, errCut, err)
}

// TestProgress: whatever a server sends, a download of n bytes has at most
// n/16 KiB + 200 counts of attempts.
func TestProgress(t *testing.T) {
	for _, c := range []struct{ left, want int64 }{
		{-1, 16 << 10}, {0, 0}, {1, 1}, {16, 1}, {17, 2}, {256 << 10, 16 << 10}, {256<<10 - 16, 16<<10 - 1}, {256<<10 - 15, 16 << 10}, {math.MaxInt64, 16 << 10},
	} {
		assert.Equal(t, c.want, progress(c.left), c.left)
	}
	for _, n := range []int64{1, 26, 10_000, 256 << 10, 1 << 20, 1 << 30} {
		counts := int64(0)
		for left := n; left > 0; left -= progress(left) {
			counts++
		}
		assert.LessOrEqual(t, counts, n/(16<<10)+200, n)
	}
}

func validatorOf(resp *http.Response) head.Validator {
	v, _ := head.ValidatorOf(resp.Header, nil)
	return v
}
