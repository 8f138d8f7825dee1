package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"time"
)

// server serves a file, and breaks the connection when it has sent a part of the file.
type server struct {
	*httptest.Server
	sum string
}

func serve(size, cutAfter int) *server {
	file := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(file)
	sum := fmt.Sprintf("%x", sha256.Sum256(file))
	return &server{sum: sum, Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+sum+`"`)
		http.ServeContent(&cutter{w, cutAfter}, r, "file.bin", time.Time{}, bytes.NewReader(file))
	}))}
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		panic(http.ErrAbortHandler) // closes the connection
	}
	return c.ResponseWriter.Write(p)
}
