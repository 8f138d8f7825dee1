package insist

import (
	"compress/gzip"
	"errors"
	"net/http"
	"runtime"
	"slices"
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
	switch resp.Header.Get("Content-Encoding") {
	case "", "identity", "gzip", "x-gzip":
	default:
		return false
	}
	return hasBody(req, resp) && !isStream(resp.Header.Get("Content-Type"))
}

// hasBody reports whether resp has a body that ends with the exchange.
func hasBody(req *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotModified:
		return false
	}
	return resp.StatusCode >= 200 && req.Method != http.MethodHead && req.Method != http.MethodConnect &&
		resp.Body != nil && resp.Body != http.NoBody && resp.ContentLength != 0
}

// isStream reports whether a body of this type is read while it arrives.
func isStream(contentType string) bool {
	media := mediaType(contentType)
	return isEvents(media) || startsWithAny(media, "multipart/", "audio/", "video/", "image/")
}

// isEvents reports whether a body of this type is one even if its length is known.
func isEvents(media string) bool {
	switch media {
	case "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl",
		"application/json-seq", "application/stream+json":
		return true
	}
	return startsWithAny(media, "application/grpc", "application/connect+")
}

func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func startsWithAny(s string, starts ...string) bool {
	return slices.ContainsFunc(starts, func(start string) bool { return strings.HasPrefix(s, start) })
}

// peek asks RetryableBody about resp, whose body is then one that gives again
// what the condition has seen, and goes on from there.
func (p *Policy) peek(c caller, req *http.Request, resp *http.Response, attempt int, most time.Duration) Decision {
	limit := p.maxPeekBytes()
	if limit < 0 {
		return Decision{}
	}
	body := newPeekedBody(resp, limit)
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

// maxReads bounds the Reads of a body that come to nothing, as in package bufio.
const maxReads = 100

// peekReader is what a condition reads: the body, within bounds.
type peekReader struct {
	body   *peekedBody
	caller caller
	limit  int64         // in bytes
	wait   time.Duration // that is left
	all    bool          // it will read all that it may
	off    int64
	at     spot
	err    error // why there is no more
}

// Next returns the bytes that follow, in place: it makes r a [jsonscan.Source].
func (r *peekReader) Next() (piece []byte, err error) {
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

// more has take take what there is, when there is something. A body that gives
// nothing again and again is one that does not arrive.
func (r *peekReader) more(take func(*tape) int) error {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	for range maxReads {
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
		case !b.pending: // by a look before
			b.begin(r.limit-b.size, r.all)
		}
		if !r.await() {
			r.err = errPeekTime
		}
	}
	r.err = errPeekTime
	return r.err
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
