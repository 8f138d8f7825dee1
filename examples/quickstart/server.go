package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// step is what the server does with one request.
type step func(w http.ResponseWriter, req *http.Request)

// misbehave returns a handler that fails the way real servers do. Which failure
// meets which request is no accident: an answer that says "failed" may follow
// any method, but where the answer is lost only a request that can be repeated
// without harm is sent again. GET and PUT can be, and so can the POST, by its
// Idempotency-Key.
func misbehave() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /report", script(hangUp, succeed))
	mux.Handle("POST /orders", script(turnAway, hangUp, succeed))
	mux.Handle("PUT /videos/7", script(reset, succeed))
	return mux
}

// script plays one step for each request, and repeats the last one.
func script(steps ...step) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := int(requests.Add(1))
		steps[min(n, len(steps))-1](w, req)
	})
}

// succeed reads the whole body and answers with its SHA-256.
func succeed(w http.ResponseWriter, req *http.Request) {
	sum := sha256.New()
	if _, err := io.Copy(sum, req.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%x", sum.Sum(nil))
}

// turnAway answers at once, with the body unread.
func turnAway(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too busy, come back later", http.StatusServiceUnavailable)
}

// hangUp takes the whole request and closes the connection without an answer.
func hangUp(w http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body)
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// reset resets the connection in the middle of an upload.
func reset(w http.ResponseWriter, req *http.Request) {
	io.CopyN(io.Discard, req.Body, 2<<20)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // close with RST: what is under way is lost
	}
	conn.Close()
}

// serve starts handler on a port of its own and returns the address and what
// stops it.
func serve(handler http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler}
	// A connection for each attempt: where a kept one turns out dead, net/http
	// repeats the request by itself, and that attempt would not be seen here.
	server.SetKeepAlivesEnabled(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	stop = func() {
		server.Close()
		<-done
	}
	return listener.Addr().String(), stop, nil
}
