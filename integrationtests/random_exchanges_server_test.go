package integrationtests

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// end comes before the hash of what is before it.
const end = "\nend of the data, whose hash is "

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// ServeHTTP is the server.
func (x *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.handlers.Add(1)
	defer x.handlers.Done()
	name, control := r.Header.Get("Name"), http.NewResponseController(w)
	x.mu.Lock()
	x.arrived++
	number := x.arrived
	x.mu.Unlock()
	duplex := x.oneIn(2)
	if duplex {
		control.EnableFullDuplex() // else HTTP/1's server reads the rest by itself before it answers
	}
	body := &hashed{from: r.Body, sum: sha256.New()}
	defer x.check(body, r)
	code := []int{200, 200, 503, 429, 404}[x.below(5)]
	if x.oneIn(2) {
		body.skip(x.size())
		x.pause()
		if x.oneIn(4) {
			panic(http.ErrAbortHandler)
		}
		if code == 200 && once(r) {
			code = 503 // not to be carried out
		}
		x.respond(w, r, code, fmt.Sprintf("%s %d early ", name, number))
		if duplex {
			control.Flush()
			x.pause()
			body.skip(1 << 30)
		}
		return
	}
	body.skip(1 << 30)
	if !body.whole() {
		panic(http.ErrAbortHandler)
	}
	if code == 200 {
		x.mu.Lock()
		x.carried[name]++
		x.mu.Unlock()
		if x.oneIn(4) {
			x.pause()
			panic(http.ErrAbortHandler)
		}
	}
	x.respond(w, r, code, fmt.Sprintf("%s %d ", name, number))
}

func (x *exchange) pause() {
	if x.oneIn(3) {
		time.Sleep(x.time(8 * time.Second))
	}
}

// check holds a body that the server has taken for whole against what was to come.
func (x *exchange) check(body *hashed, r *http.Request) {
	if !body.whole() {
		return
	}
	got := hex.EncodeToString(body.sum.Sum(nil))
	if got != r.Header.Get("Sum") {
		x.Errorf("%s %s: a mangled body of %d bytes, Content-Length %d, %v", r.Proto, r.Method, body.n, r.ContentLength, r.Header)
	}
	if trailer, ok := r.Trailer["Sum-Trailer"]; ok && (len(trailer) != 1 || trailer[0] != got) {
		x.Errorf("%s %s: trailer %q, %v", r.Proto, r.Method, trailer, r.Header)
	}
}

// respond sends a response. Those to GET are one resource, which changes.
func (x *exchange) respond(w http.ResponseWriter, r *http.Request, code int, text string) {
	if r.Method == "GET" && code == 200 {
		x.resource(w, r)
		return
	}
	data := mark(text, x.size())
	if x.oneIn(6) {
		w.WriteHeader(http.StatusEarlyHints)
	}
	switch x.below(4) {
	case 0:
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	case 1:
		w.Header().Set("Trailer", "Sum-Trailer")
		defer w.Header().Set("Sum-Trailer", sum(data))
	case 2:
		defer w.Header().Set(http.TrailerPrefix+"Sum-Trailer", sum(data)) // not announced
	case 3:
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(code)
			zip := gzip.NewWriter(w)
			x.write(zip, data)
			zip.Close()
			return
		}
	}
	w.WriteHeader(code)
	x.write(w, data)
}

func mark(text string, size int) []byte {
	data := append([]byte(text), servertest.Pattern(size)...)
	return append(data, end+sum(data)...)
}

func (x *exchange) resource(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	if x.oneIn(4) {
		x.version++
	}
	version := x.version
	x.mu.Unlock()
	data := mark(fmt.Sprintf("version %d ", version), 20_000)
	h := w.Header()
	h.Set("Etag", fmt.Sprintf(`"%d"`, version))
	h.Set("Content-Type", "text/plain")
	h.Set("Accept-Ranges", "bytes")
	switch {
	case r.Header.Get("Range") == "":
		if x.oneIn(2) {
			h.Set("Content-Length", fmt.Sprint(len(data)))
		}
		x.write(w, data)
	case x.oneIn(10): // ignores Range
		x.write(w, data)
	default:
		if x.oneIn(5) { // ignores If-Range
			r.Header.Del("If-Range")
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	}
}

// write sends data in pieces, or truncates it.
func (x *exchange) write(w io.Writer, data []byte) {
	for len(data) > 0 {
		n := min(len(data), 1+x.size())
		if _, err := w.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		switch x.below(8) {
		case 0:
			switch w := w.(type) {
			case http.Flusher:
				w.Flush()
			case *gzip.Writer: // its bytes go no further than net/http's buffer
				w.Flush()
			}
			x.pause()
		case 1:
			if x.oneIn(4) {
				panic(http.ErrAbortHandler)
			}
		}
	}
}

// hashed is a request body as it comes to the server.
type hashed struct {
	from io.Reader
	sum  hash.Hash
	n    int64
	err  error // the first: after it net/http may say that the body has ended
}

func (h *hashed) skip(n int) {
	if h.err != nil {
		return
	}
	m, err := io.CopyN(h.sum, h.from, int64(n))
	h.n, h.err = h.n+m, err
}

// whole reports whether the body has come to its end.
func (h *hashed) whole() bool { return h.err == io.EOF }
