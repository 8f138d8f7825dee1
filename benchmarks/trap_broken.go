package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// breaking is over, or whole where the library has that.
func (l library) breaking(base http.RoundTripper) http.RoundTripper {
	if l.whole != nil {
		return l.whole(base)
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

// broken asks for size bytes, of which the server sends half before the line
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
