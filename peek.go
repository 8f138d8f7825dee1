package insist

import (
	"compress/gzip"
	"errors"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"
)

var (
	errPeekBytes = errors.New("insist: the response body is longer than MaxPeekBytes")
	errPeekTime  = errors.New("insist: the response body did not arrive within MaxPeekTime")
)

// worthLooking reports whether resp has a body that a condition may see. Streams
// are not touched: whoever reads them waits for every single event.
func worthLooking(req *http.Request, resp *http.Response) bool {
	switch {
	case req.Method == http.MethodHead || resp.Body == nil || resp.Body == http.NoBody || resp.ContentLength == 0,
		resp.StatusCode < 200, resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified:
		return false
	}
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity", "gzip", "x-gzip":
	default:
		return false
	}
	return !isStream(resp.Header.Get("Content-Type"))
}

func isStream(contentType string) bool {
	if contentType == "" || strings.HasPrefix(contentType, "application/json") {
		return false // the usual one, without parsing
	}
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl",
		"application/json-seq", "application/stream+json":
		return true
	}
	for _, kind := range []string{"multipart/", "application/grpc", "application/connect+", "audio/", "video/", "image/"} {
		if strings.HasPrefix(media, kind) {
			return true
		}
	}
	return false
}

// peek asks RetryableBody about resp, whose body is then one that gives again
// what the condition has seen, and goes on from there.
func (p *Policy) peek(c caller, req *http.Request, resp *http.Response, attempt int, most time.Duration) Decision {
	limit := p.maxPeekBytes()
	if limit < 0 {
		return Decision{}
	}
	body := &peekedBody{src: resp.Body, length: resp.ContentLength}
	body.tape.lend(body.start[:min(int64(len(body.start)), limit)])
	resp.Body = body
	r := &body.look
	*r = peekReader{body: body, caller: c, limit: limit, wait: most}
	defer r.stop()
	switch resp.Header.Get("Content-Encoding") {
	case "gzip", "x-gzip":
		unzipped := &gunzipped{from: r, left: limit}
		defer unzipped.free()
		return p.RetryableBody(req, resp, attempt, unzipped)
	}
	return p.RetryableBody(req, resp, attempt, r)
}

// peekReader is what a condition reads: the body, within bounds.
type peekReader struct {
	body   *peekedBody
	caller caller
	limit  int64         // in bytes
	wait   time.Duration // that is left
	off    int64
	at     spot
	err    error // why there is no more
}

// next returns the bytes that follow, in place.
func (r *peekReader) next() (piece []byte, err error) {
	err = r.more(func(t *tape) int {
		piece = t.next(&r.at)
		return len(piece)
	})
	return piece, err
}

func (r *peekReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = r.more(func(t *tape) int {
		n = t.read(p, &r.at)
		return n
	})
	return n, err
}

// more has take take what there is, when there is something.
func (r *peekReader) more(take func(*tape) int) error {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case r.err != nil:
			return r.err
		case r.off < b.size:
			r.off += int64(take(&b.tape))
			return nil
		case b.err != nil:
			return b.err
		case b.size >= r.limit:
			r.err = errPeekBytes
			return r.err
		default:
			b.begin(r.limit - b.size)
		}
		if !r.await() {
			r.err = errPeekTime
		}
	}
}

// await waits, with the body unlocked meanwhile, until the Read under way has
// come back, and reports whether it has in time. Most answers are there already,
// so that it makes no timer before it has let others run.
func (r *peekReader) await() bool {
	b := r.body
	for range 8 {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
		if !b.pending {
			return true
		}
	}
	if r.wait <= 0 {
		return false
	}
	landed, start := b.landing(), time.Now()
	b.mu.Unlock()
	defer b.mu.Lock()
	defer func() { r.wait -= time.Since(start) }()
	return r.caller.await(landed, r.wait)
}

func (r *peekReader) stop() { r.err = errPeekTime }

// gunzipped is a body that the caller asked to be compressed, as a condition
// reads it. The bound counts on either side: a few bytes may unpack to many.
type gunzipped struct {
	from *peekReader
	zip  *gzip.Reader
	left int64
}

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (g *gunzipped) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errPeekBytes
	}
	if g.zip == nil {
		zip := gzipPool.Get().(*gzip.Reader)
		if err := zip.Reset(g.from); err != nil {
			return 0, err
		}
		g.zip = zip
	}
	n, err := g.zip.Read(p[:min(int64(len(p)), g.left)])
	g.left -= int64(n)
	return n, err
}

func (g *gunzipped) free() {
	if g.zip != nil {
		gzipPool.Put(g.zip)
	}
}
