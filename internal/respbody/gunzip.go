package respbody

import (
	"bytes"
	"compress/gzip"
	"sync"
)

// Gunzip decompresses a body for a condition. net/http leaves a body compressed if the
// caller set Accept-Encoding.
type Gunzip struct {
	from *Reader
	zip  *gzip.Reader
	left int64 // decompressed bytes that may follow: few bytes may expand to many, so the limit applies to both sides
}

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

// Unzip returns a reader that decompresses the gzip data in r. Free must be called.
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
