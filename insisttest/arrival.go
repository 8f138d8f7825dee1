package insisttest

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// Arrival is what arrived at one attempt.
type Arrival struct {
	// Time is when the attempt began: at a server, when its headers had arrived.
	Time time.Time

	// Method is the request's method.
	Method string

	// URI is the path and query of the request, as on a request line.
	URI string

	// Header is a copy of the request's headers.
	Header http.Header

	// Body is the part of the request's body that has been read so far.
	Body string

	// Whole reports whether the body was read to its end and had the length that
	// the request declared. It is true for a request without a body.
	Whole bool
}

type arrival struct {
	Arrival
	data []byte
}

func newArrival(req *http.Request) *arrival {
	a := &arrival{Arrival: Arrival{
		Time: time.Now(), Method: req.Method, URI: req.URL.RequestURI(), Header: req.Header.Clone(),
	}}
	if a.Method == "" {
		a.Method = http.MethodGet
	}
	return a
}

func (a *arrival) snapshot() Arrival {
	s := a.Arrival
	s.Header, s.Body = a.Header.Clone(), string(a.data)
	return s
}

// recording is a request body that records the bytes read from it.
type recording struct {
	io.ReadCloser
	mu     *sync.Mutex
	to     *arrival
	length int64 // as declared; zero or negative means unknown
}

func (r *recording) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to.data = append(r.to.data, p[:n]...)
	if err == io.EOF {
		r.to.Whole = r.length <= 0 || r.length == int64(len(r.to.data))
	}
	return n, err
}
