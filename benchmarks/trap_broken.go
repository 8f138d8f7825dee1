package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// breaking is untruncated if the library has that, otherwise over.
func (l library) breaking(base http.RoundTripper) http.RoundTripper {
	if l.untruncated != nil {
		return l.untruncated(base)
	}
	return l.over(base, 0)
}

func smallAnswer(ctx context.Context, l library) verdict {
	return broken(ctx, l, 1<<10, func(w http.ResponseWriter, r *http.Request, data []byte) { w.Write(data) })
}

func download(ctx context.Context, l library) verdict {
	return broken(ctx, l, 1<<20, func(w http.ResponseWriter, r *http.Request, data []byte) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}

// broken requests size bytes. The server sends half of them, and then the connection
// breaks.
func broken(ctx context.Context, l library, size int, serveAll func(http.ResponseWriter, *http.Request, []byte)) verdict {
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	srv, base, end := serve(failFirst(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(data[:size/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		serveAll(w, r, data)
	}), plain)
	defer end()
	_, got := bodyOf(l.breaking(base), ask(ctx, srv.URL))
	return verdictOf(got == string(data), "none")
}
