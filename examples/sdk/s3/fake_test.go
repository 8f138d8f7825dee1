package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckBodies(t *testing.T) {
	const (
		hash  = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
		chunk = "5\r\nhello\r\n0\r\n"
		crc   = "x-amz-checksum-crc32:NhCmhg==\r\n\r\n" // of hello
	)
	header := func(pairs ...string) http.Header {
		h := make(http.Header)
		for n := 0; n < len(pairs); n += 2 {
			h.Set(pairs[n], pairs[n+1])
		}
		return h
	}
	framed := header("Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "5")
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		status int
	}{
		{"hash", header("X-Amz-Content-Sha256", hash), "hello", 200},
		{"another hash", header("X-Amz-Content-Sha256", hash), "hallo", 400},
		{"no hash", nil, "hello", 400},
		{"checksum", framed, chunk + crc, 200},
		{"another checksum", framed, "5\r\nhallo\r\n0\r\n" + crc, 400},
		{"another length", header("Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "6"), chunk + crc, 400},
		{"no checksum", framed, chunk + "\r\n", 400},
		{"cut off in the body", framed, "5\r\nhel", 400},
		{"cut off in the checksum", framed, chunk + "x-amz-checksum-crc32:NhC", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				got, _ := io.ReadAll(req.Body)
				if string(got) != "hello" || req.ContentLength != 5 || req.Header.Get("Content-Encoding") != "" {
					t.Errorf("got %q of %d bytes, header %v", got, req.ContentLength, req.Header)
				}
			})
			req := httptest.NewRequest("PUT", "/bucket/key", strings.NewReader(tt.body))
			if tt.header != nil {
				req.Header = tt.header.Clone()
			}
			w := httptest.NewRecorder()
			checkBodies(next).ServeHTTP(w, req)
			if w.Code != tt.status {
				t.Errorf("got %d, want %d", w.Code, tt.status)
			}
		})
	}
}
