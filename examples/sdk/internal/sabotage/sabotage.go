// Package sabotage puts faults between a client and an http.Handler, for the
// programs that show how a client survives them.
package sabotage

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// Fault answers a request in place of next, or spoils what next answers.
type Fault func(w http.ResponseWriter, req *http.Request, next http.Handler)

// Handler hands requests to Next, but for those that a Fault was planned for.
type Handler struct {
	// Next is the service. It must not be nil.
	Next http.Handler

	mu      sync.Mutex
	planned []Fault
}

// Plan plans a fault for each of the next requests, in their order. A nil Fault
// lets its request pass.
func (h *Handler) Plan(faults ...Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.planned = append(h.planned, faults...)
}

// Left returns how many of the planned faults no request has met.
func (h *Handler) Left() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.planned)
}

// ServeHTTP lets the next planned fault happen, or has Next serve.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if fault := h.next(); fault != nil {
		fault(w, req, h.Next)
		return
	}
	h.Next.ServeHTTP(w, req)
}

func (h *Handler) next() (f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.planned) > 0 {
		f, h.planned = h.planned[0], h.planned[1:]
	}
	return f
}

// Reset resets the connection when so many bytes of the request's body have been
// read. The service doesn't see the request.
func Reset(after int64) Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		io.CopyN(io.Discard, req.Body, after)
		reset(w)
	}
}

// Early answers with this status when so many bytes of the request's body have
// been read. With an empty retryAfter there is no such header. The rest of the
// body is thrown away, as proxies do: were the connection closed at once, its
// reset could overtake the response.
func Early(after int64, status int, retryAfter string) Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		answer := http.NewResponseController(w)
		answer.EnableFullDuplex()
		io.CopyN(io.Discard, req.Body, after)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		if answer.Flush(); req.ProtoMajor == 1 {
			io.Copy(io.Discard, req.Body)
		}
	}
}

// Answer answers 200 with this body in place of the service.
func Answer(contentType, body string) Fault {
	return func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", contentType)
		io.WriteString(w, body)
	}
}

// Lose lets the service carry the request out, and resets the connection in
// place of its response.
func Lose(w http.ResponseWriter, req *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), req)
	reset(w)
}

// Truncate ends the service's response after the first half of its body.
func Truncate(w http.ResponseWriter, req *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, req)
	for name, values := range whole.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// reset closes the connection so that the other end, too, takes it for broken:
// on TCP by a reset, with TLS without saying goodbye.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
