package insist

//lint:file-ignore SA1019 http.Client's Timeout closes Request.Cancel

import (
	"compress/gzip"
	"errors"
	"io"
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
func (p *Policy) peek(req *http.Request, resp *http.Response, attempt int, most time.Duration) Decision {
	limit := p.maxPeekBytes()
	if limit < 0 {
		return Decision{}
	}
	body := &peekedBody{src: resp.Body, length: resp.ContentLength}
	body.tape.lend(body.start[:min(int64(len(body.start)), limit)])
	resp.Body = body
	r := &body.look
	*r = peekReader{body: body, limit: limit, wait: most, done: req.Context().Done(), canceled: req.Cancel}
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
	body     *peekedBody
	limit    int64 // in bytes
	wait     time.Duration
	timer    *time.Timer     // made when there is something to wait for
	done     <-chan struct{} // of the caller's context
	canceled <-chan struct{}
	off      int64
	at       spot
	err      error // why there is no more
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
	if r.timer == nil {
		r.timer = time.NewTimer(r.wait)
	}
	landed := b.landing()
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-landed:
		return true
	case <-r.timer.C:
	case <-r.done:
	case <-r.canceled:
	}
	return false
}

func (r *peekReader) stop() {
	if r.err = errPeekTime; r.timer != nil {
		r.timer.Stop()
	}
}

// peekedBody is the body of a response that has been looked into. It gives what
// has been seen once more, then goes on with the source: every byte, and every
// error, at the same place as without us.
type peekedBody struct {
	src    io.ReadCloser
	length int64     // as far as the head says; -1 if not known
	start  [512]byte // the tape's first chunk: most conditions need no more
	look   peekReader

	mu      sync.Mutex
	tape    tape
	size    int64         // bytes on the tape
	err     error         // what the source ended with
	pending bool          // a Read of the source is under way
	landed  chan struct{} // closed when it has come back, if anybody waits
	off     int64         // the caller's place
	at      spot
}

// begin starts a Read of the source, of at most most bytes, that may go on after
// the look is over: then it is the caller's first.
func (b *peekedBody) begin(most int64) {
	left := b.length - b.size
	switch {
	case left > 0:
		most = min(most, left)
	case b.length >= 0:
		most = min(most, firstChunk) // for the end, and nothing before it
	}
	b.pending = true
	go b.fill(b.tape.room(most, left > 0))
}

func (b *peekedBody) fill(room []byte) {
	n, err := 0, errBadRead
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n < 0 || n > len(room) {
			n, err = 0, errBadRead
		}
		b.tape.grow(n)
		b.size, b.err, b.pending = b.size+int64(n), err, false
		if b.landed != nil {
			close(b.landed)
			b.landed = nil
		}
	}()
	n, err = b.src.Read(room)
}

// landing returns a channel that is closed when the Read under way comes back.
func (b *peekedBody) landing() <-chan struct{} {
	if b.landed == nil {
		b.landed = make(chan struct{})
	}
	return b.landed
}

func (b *peekedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	for b.pending && b.off == b.size {
		landed := b.landing()
		b.mu.Unlock()
		<-landed
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.off < b.size {
		n := b.tape.read(p, &b.at)
		if b.off += int64(n); b.off == b.size && !b.pending {
			b.tape.free()
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	b.mu.Unlock()
	defer b.mu.Lock()
	return b.src.Read(p)
}

// Close closes the source, which ends a Read under way.
func (b *peekedBody) Close() error { return b.src.Close() }

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
