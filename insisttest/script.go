package insisttest

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Script plays its steps in order, one for each request that arrives. After the last step,
// it plays that step again for each further request. It is an http.RoundTripper, for use
// as the base of a retrying transport, and an http.Handler, for httptest.NewServer or a
// server on a Listener. It is safe for concurrent use.
type Script struct {
	steps []Step

	mu       sync.Mutex
	arrivals []*arrival
	bodies   []*Body
}

// NewScript returns a script of these steps. If there are none, each request gets
// Status(200).
func NewScript(steps ...Step) *Script {
	if len(steps) == 0 {
		steps = []Step{Status(http.StatusOK)}
	}
	return &Script{steps: steps}
}

// RoundTrip plays the next step. The request's body is read to its end before
// the response is returned, unless reading it fails, and closed on every path.
func (s *Script) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	resp, err := s.play(req, req.Body == nil || req.Body == http.NoBody)
	if resp == nil {
		return nil, err
	}
	resp.Request = req
	if body, ok := resp.Body.(*Body); ok {
		s.mu.Lock()
		s.bodies = append(s.bodies, body)
		s.mu.Unlock()
	}
	return resp, err
}

// play records the arrival of req, plays the next step, and reads the part of the body
// that the step left unread.
func (s *Script) play(req *http.Request, bodyless bool) (*http.Response, error) {
	arrived := newArrival(req)
	arrived.Whole = bodyless
	s.mu.Lock()
	step := s.steps[min(len(s.arrivals), len(s.steps)-1)]
	s.arrivals = append(s.arrivals, arrived)
	s.mu.Unlock()

	if !bodyless {
		body := req.Body
		req = req.WithContext(req.Context())
		req.Body = &recording{ReadCloser: body, mu: &s.mu, to: arrived, length: req.ContentLength}
	}
	resp, err := step(req)
	if resp == nil || err != nil {
		return resp, err
	}
	if err := readAll(req); err != nil {
		if resp.Body != nil {
			resp.Body.Close()
		}
		return nil, err
	}
	return resp, nil
}

// ServeHTTP plays the next step.
func (s *Script) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	resp, err := s.play(req, req.ContentLength == 0)
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if resp == nil || err != nil {
		reset(w)
		return
	}
	for key, values := range resp.Header {
		w.Header()[key] = values
	}
	if resp.ContentLength > 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	w.WriteHeader(resp.StatusCode)
	if resp.ContentLength != 0 {
		http.NewResponseController(w).Flush() // the head, before the body's first bytes
	}
	if resp.Body != nil && send(w, resp.Body) != nil {
		panic(http.ErrAbortHandler) // truncates the response
	}
}

// send sends each part of body as soon as it can be read. It returns only errors of body;
// the head has been sent by then.
func send(w http.ResponseWriter, body io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		w.Write(buf[:n])
		if err == io.EOF {
			return nil
		}
		http.NewResponseController(w).Flush()
		if err != nil {
			return err
		}
	}
}

// reset resets the connection. On HTTP/2, where requests share a connection, it resets
// only the stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	conn.Close()
}

// Arrivals returns what has arrived so far, in order.
func (s *Script) Arrivals() []Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Arrival, len(s.arrivals))
	for i, a := range s.arrivals {
		all[i] = a.snapshot()
	}
	return all
}

// Waits returns the times between the arrivals. Each is the client's wait plus the time
// that the attempt before it took. In virtual time an attempt takes no time, unless its
// step uses After.
func (s *Script) Waits() []time.Duration {
	var all []time.Duration
	arrivals := s.Arrivals()
	for i := 1; i < len(arrivals); i++ {
		all = append(all, arrivals[i].Time.Sub(arrivals[i-1].Time))
	}
	return all
}

// Bodies returns the bodies of the responses that RoundTrip has returned, in order, so
// that a test can check whether each was closed. The body of a step of your own is
// included if it is a *Body. For a server the result is empty, because the client gets
// other bodies.
func (s *Script) Bodies() []*Body {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Body(nil), s.bodies...)
}
