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
	InChunks                // without a Content-Length, in three writes
	WithRanges              // with a Content-Length and a validator; ranges are served
	OpenRanges              // the same, but a complete body has no Content-Length
)

func (s Shape) String() string { return [...]string{"sized", "chunked", "ranges", "open ranges"}[s] }

// Call is what a Ledger expects of one call, and what happened.
type Call struct {
	Shape    Shape  // of the response
	Response []byte // its body
	Busy     int    // so many requests are rejected first, by BusyBody

	Arrived int // requests whose head has arrived
	Carried int // requests whose body arrived completely, and that were carried out
	Mangled int // requests whose body seemed complete, but was not the one that was signed
}

// BusyBody is the body of a 200 by which a Ledger rejects a request.
const BusyBody = `{"ret_code":5000,"data":"not now"}`

// header names a call and contains the length and hash of its body. It is short, because
// tests cut the connection after each byte.
const header = "C"

// Ledger is a server that records which requests it carries out. It is safe for
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

// Close returns what happened to a call, and deletes it.
func (l *Ledger) Close(name string) Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := *l.calls[name]
	delete(l.calls, name)
	return c
}

// Sign sets the header by which a Ledger recognizes req, whose body is to be body.
func Sign(req *http.Request, name string, body []byte) {
	req.Header.Set(header, name+" "+digest(body))
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return strconv.Itoa(len(body)) + " " + hex.EncodeToString(sum[:4])
}

// ServeHTTP reads the request, and carries it out if its body is the signed one. If the
// body can't be read to its end, it sends no response.
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

// carry records a request whose body could be read to its end. intact means that it is the
// signed body.
func (l *Ledger) carry(name string, intact bool) (c Call, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.calls[name]
	switch {
	case known == nil: // closed while the handler ran
		return Call{}, false
	case !intact:
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
	h["Content-Type"], h["Date"] = nil, nil // fewer bytes after which to cut; see header
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

// write sends data in pieces writes.
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
