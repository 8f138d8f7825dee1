package servertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Shape is how a response's body is sent.
type Shape int

const (
	WithLength Shape = iota // with a Content-Length, in two writes
	InChunks                // without, in three
	WithRanges              // sized, with a validator; ranges are served
	OpenRanges              // the same, but the whole is sent without a length
)

func (s Shape) String() string { return [...]string{"sized", "chunked", "ranges", "open ranges"}[s] }

// Call is what a Ledger expects of one call, and what has come of it.
type Call struct {
	Shape    Shape  // of the response
	Response []byte // its body
	Busy     int    // so many requests are turned away first, by BusyBody

	Arrived int // requests whose head has come
	Carried int // requests that were taken for whole, and carried out
	Mangled int // requests that were taken for whole, and had another body
}

// BusyBody is the body of a 200 by which a Ledger turns a request away.
const BusyBody = `{"ret_code":5000,"data":"not now"}`

// header names a call and has the length and hash of its body. It is short, since
// each of its bytes is one more place for a cut.
const header = "C"

// Ledger is a server that takes note of what it carries out. It is safe for
// concurrent use.
type Ledger struct {
	mu    sync.Mutex
	calls map[string]*Call
}

// Open expects requests with this name.
func (l *Ledger) Open(name string, c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = make(map[string]*Call)
	}
	l.calls[name] = &c
}

// Close returns what has come of a call, and forgets it.
func (l *Ledger) Close(name string) Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := *l.calls[name]
	delete(l.calls, name)
	return c
}

// Sign gives req, which is to send body, the header by which a Ledger knows it.
func Sign(req *http.Request, name string, body []byte) {
	req.Header.Set(header, name+" "+digest(body))
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return strconv.Itoa(len(body)) + " " + hex.EncodeToString(sum[:4])
}

// ServeHTTP reads the request, and carries it out if it is whole. A request whose
// body can't be read to its end is not answered.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, sum, _ := strings.Cut(r.Header.Get(header), " ")
	if !l.arrive(name) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c, busy := l.carry(name, digest(body) == sum)
	if busy {
		c.Response, c.Shape = []byte(BusyBody), WithLength
	}
	c.respond(w, r)
}

func (l *Ledger) arrive(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[name]
	if c != nil {
		c.Arrived++
	}
	return c != nil
}

// carry puts a request on record whose body was taken for whole.
func (l *Ledger) carry(name string, whole bool) (c Call, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.calls[name]
	switch {
	case known == nil: // closed while the handler ran
		return Call{}, false
	case !whole:
		known.Mangled++
	case known.Busy > 0:
		known.Busy--
		busy = true
	default:
		known.Carried++
	}
	return *known, busy
}

func (c *Call) respond(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Type"], h["Date"] = nil, nil // for the same reason
	switch c.Shape {
	case WithRanges, OpenRanges:
		h["Etag"] = []string{`"1"`}
		h["Accept-Ranges"] = []string{"bytes"}
		if c.Shape == WithRanges || r.Header.Get("Range") != "" {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.Response))
			return
		}
		write(w, c.Response, 3)
	case InChunks:
		write(w, c.Response, 3)
	default:
		h["Content-Length"] = []string{strconv.Itoa(len(c.Response))}
		write(w, c.Response, 2)
	}
}

// write sends data in so many pieces.
func write(w http.ResponseWriter, data []byte, pieces int) {
	flush := http.NewResponseController(w)
	for ; pieces > 1; pieces-- {
		n := len(data) / pieces
		w.Write(data[:n])
		flush.Flush()
		data = data[n:]
	}
	w.Write(data)
}
