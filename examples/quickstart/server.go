package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// misbehave returns a handler that fails the way real servers do.
func misbehave() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /report", script(hangUp, say("")))
	mux.Handle("GET /stock", script(turnAway(503, "1"), say("")))
	mux.Handle("GET /job", script(say(`{"ret_code": 5000}`), say(`{"ret_code": 0}`)))
	mux.Handle("PUT /video", script(reset, measure))
	mux.Handle("POST /order", script(hangUp, say(""))) // a second order would be accepted
	mux.Handle("GET /quota", turnAway(429, "3600"))
	return mux
}

// script plays one step for each request, and repeats the last one.
func script(steps ...http.HandlerFunc) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := int(requests.Add(1))
		steps[min(n, len(steps))-1](w, req)
	})
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// measure reads the whole body.
func measure(w http.ResponseWriter, req *http.Request) {
	n, err := io.Copy(io.Discard, req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d bytes arrived", n)
}

// turnAway responds at once, without reading the body.
func turnAway(status int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(status)
	}
}

// hangUp reads the complete request and closes the connection without a response.
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
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0) // Close sends RST: what is in flight is lost
	}
	conn.Close()
}

// serve serves on listener, for calls without and with insist. Both start with the first
// failure of the script. It returns a function that stops the server.
func serve(listener net.Listener) (stop func()) {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/without", "/with"} {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, misbehave()))
	}
	server, done := &http.Server{Handler: mux}, make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	return func() {
		server.Close()
		<-done
	}
}
