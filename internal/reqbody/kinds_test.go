package reqbody

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i>>8) ^ byte(i*7)
	}
	return data
}

// closes counts the readers that a kind of body has given, and their first Close.
type closes struct{ given, closed atomic.Int32 }

// plain is a reader of which only Read and Close are to be seen. Its Close counts.
type plain struct {
	io.Reader
	by     *closes
	closed atomic.Bool
}

func (c *closes) plain(r io.Reader) *plain {
	c.given.Add(1)
	return &plain{Reader: r, by: c}
}

func (p *plain) Read(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, os.ErrClosed
	}
	return p.Reader.Read(b)
}

func (p *plain) Close() error {
	if p.closed.CompareAndSwap(false, true) {
		p.by.closed.Add(1)
	}
	return nil
}

// seeks is one that seeks, too.
type seeks struct {
	*plain
	io.Seeker
}

// kinds of body, of each of which any number of attempts and copies can be had.
var kinds = []struct {
	name string
	give func(t testing.TB, req *http.Request, data []byte) *closes
}{
	{"in memory", func(_ testing.TB, req *http.Request, data []byte) *closes {
		req.Body = io.NopCloser(bytes.NewReader(data))
		return new(closes)
	}},
	{"read once", func(_ testing.TB, req *http.Request, data []byte) *closes {
		c := new(closes)
		req.Body = c.plain(bytes.NewReader(data))
		return c
	}},
	{"GetBody", func(_ testing.TB, req *http.Request, data []byte) *closes {
		c := new(closes)
		req.GetBody = func() (io.ReadCloser, error) { return c.plain(bytes.NewReader(data)), nil }
		req.Body, _ = req.GetBody()
		return c
	}},
	{"GetBody opens a file anew", func(t testing.TB, req *http.Request, data []byte) *closes {
		name := filepath.Join(t.TempDir(), "body")
		require.NoError(t, os.WriteFile(name, data, 0o600))
		c := new(closes)
		req.GetBody = func() (io.ReadCloser, error) {
			f, err := os.Open(name)
			t.Cleanup(func() { f.Close() })
			return seeks{c.plain(f), f}, err
		}
		var err error
		req.Body, err = req.GetBody()
		require.NoError(t, err)
		return c
	}},
	{"GetBody rewinds its reader", func(_ testing.TB, req *http.Request, data []byte) *closes {
		shared, c := bytes.NewReader(data), new(closes)
		body := seeks{c.plain(shared), shared}
		req.Body = body
		req.GetBody = func() (io.ReadCloser, error) {
			_, err := shared.Seek(0, io.SeekStart)
			return body, err
		}
		return c
	}},
	{"GetBody rewinds what its readers share", func(_ testing.TB, req *http.Request, data []byte) *closes {
		shared, c := bytes.NewReader(data), new(closes)
		req.GetBody = func() (io.ReadCloser, error) {
			_, err := shared.Seek(0, io.SeekStart)
			return c.plain(shared), err
		}
		req.Body, _ = req.GetBody()
		return c
	}},
	{"file", func(t testing.TB, req *http.Request, data []byte) *closes {
		req.Body = io.NopCloser(file(t, data))
		return new(closes)
	}},
	{"section of a file", func(t testing.TB, req *http.Request, data []byte) *closes {
		around := append(append([]byte("before"), data...), "after"...)
		req.Body = io.NopCloser(io.NewSectionReader(file(t, around), 6, int64(len(data))))
		return new(closes)
	}},
	{"seeks", func(_ testing.TB, req *http.Request, data []byte) *closes {
		shared, c := bytes.NewReader(data), new(closes)
		req.Body = seeks{c.plain(shared), shared}
		return c
	}},
}

// file returns a file of data that is open at its start.
func file(t testing.TB, data []byte) *os.File {
	name := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// eachKind runs test for a body of each kind, of known and of unknown length.
func eachKind(t *testing.T, data []byte, test func(t *testing.T, c *call)) {
	for _, k := range kinds {
		for _, length := range []int64{int64(len(data)), -1} {
			name := k.name + ", length known"
			if length < 0 {
				name = k.name
			}
			t.Run(name, func(t *testing.T) {
				req := request(t, "PUT", "http://x/", nil)
				c := &call{closes: k.give(t, req, data), name: k.name}
				req.ContentLength = length
				c.req = req
				c.Take(req, int64(len(data)))
				test(t, c)
			})
		}
	}
}

// call is a call whose attempts a test makes.
type call struct {
	Body
	*closes
	name string
	req  *http.Request
	n    int32
}

// attempt begins the next attempt. The first one is a copy of the request.
func (c *call) attempt(t testing.TB) *http.Request {
	l := c.lease()
	require.NoError(t, c.Fill(l))
	if l.Request.GetBody == nil { // the first attempt of a body in memory
		memory := &memorySource{given: c.memory}
		l.Request.GetBody = func() (io.ReadCloser, error) { return memory.open(l, true) }
	}
	return &l.Request
}

func (c *call) lease() *Lease {
	c.n++
	l := &Lease{Number: c.n}
	l.Request = *c.req.WithContext(c.req.Context())
	return l
}
