package respbody

import (
	"bytes"
	"compress/gzip"
	"sync"
)

// Gunzip is a body that the caller asked to be compressed, as a condition reads it.
type Gunzip struct {
	from *Reader
	zip  *gzip.Reader
	left int64 // bytes: the limit holds on either side, since a few may unpack to many
}

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

// Unzip returns a reader of the bytes that r's, compressed by gzip, stand for. Free
// must be called.
func (r *Reader) Unzip() *Gunzip { return &Gunzip{from: r, left: r.limit} }

func (g *Gunzip) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errPeekBytes
	}
	if g.zip == nil {
		g.zip = gzipPool.Get().(*gzip.Reader)
		if err := g.zip.Reset(g.from); err != nil {
			g.Free()
			return 0, err
		}
	}
	n, err := g.zip.Read(p[:min(int64(len(p)), g.left)])
	g.left -= int64(n)
	return n, err
}

// Free returns g's memory to the pool, without a reference to the body.
func (g *Gunzip) Free() {
	if g.zip != nil {
		g.zip.Reset(bytes.NewReader(nil))
		gzipPool.Put(g.zip)
		g.zip = nil
	}
}
