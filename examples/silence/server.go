package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

var file = sync.OnceValue(func() []byte {
	data := make([]byte, fileSize)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
})

// serve starts the server, with nothing wrong with it, and returns its end.
func serve(listener net.Listener) (end func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "file.bin", time.Time{}, bytes.NewReader(file()))
	})
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	var all sync.WaitGroup
	all.Go(func() { server.Serve(listener) })
	return func() {
		server.Close()
		all.Wait()
	}
}
