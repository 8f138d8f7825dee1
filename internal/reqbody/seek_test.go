package reqbody

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counting has a Read of its own, of which its file's Seek knows nothing.
type counting struct {
	*os.File
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.n += n
	return n, err
}

// countingValue is one whose methods are those of a value.
type countingValue struct {
	*os.File
	n *int
}

func (c countingValue) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	*c.n += n
	return n, err
}

// named has a file, and methods of its own for all that it does.
type named struct{ f *os.File }

func (n *named) Read(p []byte) (int, error)         { return n.f.Read(p) }
func (n *named) Seek(o int64, w int) (int64, error) { return n.f.Seek(o, w) }
func (n *named) Close() error                       { return n.f.Close() }

// seekFunc is a body of which Seek is a function.
type seekFunc struct {
	io.ReadCloser
	seek func(offset int64, whence int) (int64, error)
}

func (s *seekFunc) Seek(offset int64, whence int) (int64, error) { return s.seek(offset, whence) }

func TestWhichBodiesAreRewound(t *testing.T) {
	const data = "hello"
	at := func() *os.File { return file(t, []byte(data)) }
	open := func(name string) *os.File {
		f, err := os.Open(name)
		if err != nil {
			return nil // not on this system
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	pipe, w, err := os.Pipe()
	require.NoError(t, err)
	defer pipe.Close()
	w.WriteString(data)
	w.Close()
	inMap, err := fstest.MapFS{"body": {Data: []byte(data)}}.Open("body")
	require.NoError(t, err)
	fails := errors.New("does not seek")
	for _, c := range []struct {
		name string
		body io.Reader
		want stream
	}{
		{"file", at(), new(sectionSource)},
		{"file in NopCloser", io.NopCloser(at()), new(sectionSource)},
		{"section", io.NewSectionReader(strings.NewReader(data), 1, 3), new(sectionSource)},
		{"file with another Close", struct {
			*os.File
			io.Closer
		}{at(), io.NopCloser(nil)}, new(getBodySource)},
		{"bytes.Reader with a Close", struct {
			*bytes.Reader
			io.Closer
		}{bytes.NewReader([]byte(data)), io.NopCloser(nil)}, new(getBodySource)},
		{"a type of the caller's", &named{at()}, new(getBodySource)},
		{"another file system's", inMap, new(getBodySource)},
		{"a Read of its own", &counting{File: at()}, new(bufferedSource)},
		{"a value's Read of its own", countingValue{at(), new(int)}, new(bufferedSource)},
		{"a pointer to a value's Read of its own", &countingValue{at(), new(int)}, new(bufferedSource)},
		{"pipe", pipe, new(bufferedSource)},
		{"device", open("/dev/zero"), new(bufferedSource)},
		{"file that tells no size", open("/proc/self/status"), new(bufferedSource)},
		{"empty file", file(t, nil), new(bufferedSource)},
		{"closed file", func() *os.File { f := at(); f.Close(); return f }(), new(bufferedSource)},
		{"Seek fails", &seekFunc{hidden(data), func(int64, int) (int64, error) { return 0, fails }}, new(bufferedSource)},
		{"Seek can only rewind", &seekFunc{hidden(data), func(_ int64, whence int) (int64, error) {
			if whence == io.SeekEnd {
				return 0, fails
			}
			return 0, nil
		}}, new(bufferedSource)},
		{"Seek does nothing", &seekFunc{hidden(data), func(int64, int) (int64, error) { return 0, nil }}, new(bufferedSource)},
	} {
		if f, ok := c.body.(*os.File); ok && f == nil {
			continue
		}
		var b Body
		req := request(t, "PUT", "http://x/", c.body)
		b.Take(req, 1<<20)
		assert.IsType(t, c.want, b.stream, c.name)
		b.End()
	}
}

// A Seek that goes to the end and does not come back leaves nothing to be sent.
func TestABodyThatDoesNotComeBack(t *testing.T) {
	fails := errors.New("does not seek")
	body := &seekFunc{hidden("hello"), func(_ int64, whence int) (int64, error) {
		if whence == io.SeekStart {
			return 0, fails
		}
		return 5, nil
	}}
	c := &call{req: request(t, "PUT", "http://x/", body)}
	c.Take(c.req, 1<<20)
	err := c.Fill(c.lease())
	assert.ErrorIs(t, err, fails)
	assert.False(t, c.Whole())
	c.End()
}

// The body is what follows the position at which it was handed over. A file is not moved
// from there; it is open until the call ends, and then closed.
func TestAFileIsSentFromWhereItStands(t *testing.T) {
	f := file(t, []byte("0123456789"))
	_, err := f.Seek(4, io.SeekStart)
	require.NoError(t, err)
	c := &call{closes: new(closes), req: request(t, "PUT", "http://x/", f)}
	assert.Zero(t, c.req.ContentLength, "not known to net/http")
	c.Take(c.req, 0)
	for range 4 {
		require.True(t, c.Whole())
		req := c.attempt(t)
		assert.Zero(t, req.ContentLength)
		readsAll(t, req.Body, []byte("456789"))
		at, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err, "closed")
		assert.EqualValues(t, 4, at)
		c.Revoke()
	}
	req := c.attempt(t)
	c.Keep()
	_, err = f.Stat()
	assert.NoError(t, err, "closed before it was sent")
	readsAll(t, req.Body, []byte("456789"))
	_, err = f.Stat()
	assert.ErrorIs(t, err, os.ErrClosed)
}

// Another reader that seeks is rewound to there.
func TestAReaderThatSeeksIsSentFromWhereItStands(t *testing.T) {
	f := file(t, []byte("0123456789"))
	_, err := f.Seek(4, io.SeekStart)
	require.NoError(t, err)
	c := &call{req: request(t, "PUT", "http://x/", &named{f})}
	c.Take(c.req, 0)
	for range 3 {
		readsAll(t, c.attempt(t).Body, []byte("456789"))
		c.Revoke()
	}
	_, err = f.Stat()
	assert.NoError(t, err, "closed between attempts")
	c.End()
	_, err = f.Stat()
	assert.ErrorIs(t, err, os.ErrClosed)
}

// A file that changes its size while the call lasts is never sent short. Of one that
// grows, an attempt sends what there was.
func TestAFileThatChangesItsSize(t *testing.T) {
	const size = 100_000
	for name, hide := range map[string]func(f *os.File) io.ReadCloser{
		"file":   func(f *os.File) io.ReadCloser { return f },
		"seeker": func(f *os.File) io.ReadCloser { return &named{f} },
	} {
		for _, to := range []int64{0, 10, size - 1, size + 1, 2 * size} {
			for _, declared := range []int64{-1, size} {
				start := func() (*call, *os.File, *http.Request) {
					f := file(t, pattern(size))
					c := &call{req: request(t, "PUT", "http://x/", hide(f))}
					c.req.ContentLength = declared
					c.Take(c.req, 0)
					return c, f, c.attempt(t)
				}

				c, f, req := start() // between two attempts
				io.CopyN(io.Discard, req.Body, 1000)
				c.Revoke()
				require.NoError(t, f.Truncate(to))
				err := c.Fill(c.lease())
				assert.ErrorIs(t, err, errResized, "%s, %d", name, to)
				c.End()

				c, f, req = start() // during one
				io.CopyN(io.Discard, req.Body, 1000)
				require.NoError(t, f.Truncate(to))
				rest, err := io.ReadAll(req.Body)
				if to < size {
					assert.ErrorIs(t, err, errResized, "%s, %d", name, to)
					assert.ErrorIs(t, c.Failure(), errResized, "the caller's own fault")
				} else {
					assert.NoError(t, err, "%s, %d", name, to)
					assert.Len(t, rest, size-1000)
				}
				c.End()
			}
		}
	}
}

// What a declared length says holds, as for any body.
func TestAFileOfAnotherLengthThanDeclared(t *testing.T) {
	for _, declared := range []int64{1, 9, 11, 1000} {
		c := &call{req: request(t, "PUT", "http://x/", file(t, []byte("0123456789")))}
		c.req.ContentLength = declared
		c.Take(c.req, 0)
		got, err := io.ReadAll(c.attempt(t).Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Empty(t, got)
		assert.ErrorIs(t, c.Failure(), io.ErrUnexpectedEOF)
		c.End()
	}
}

// 1 GiB through four attempts, of which three fail on the way, takes no memory.
func TestALargeFileTakesNoMemory(t *testing.T) {
	const size = 1 << 30
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size)) // sparse
	c := &call{req: request(t, "PUT", "http://x/", f)}
	p := make([]byte, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.Take(c.req, 0)
	for _, most := range []int64{0, 1 << 20, 100 << 20, size + 1} {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(c.attempt(t).Body, most), p)
		require.NoError(t, err)
		assert.Equal(t, min(most, size), n)
		c.Revoke()
	}
	c.End()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
