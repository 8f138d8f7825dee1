package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
)

// checkBodies does what S3 does and gofakes3 doesn't: it holds each body against
// what the SDK has said of it. Over TLS the SDK frames a body as "aws-chunked",
// with a checksum behind it; next gets what is inside. Otherwise the body's hash
// is in a header, and signed.
func checkBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		open := hashed
		if req.Header.Get("Content-Encoding") == "aws-chunked" {
			open = unframed
		}
		body, err := open(req)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "<Error><Code>BadDigest</Code><Message>"+err.Error()+"</Message></Error>")
			return
		}
		req = req.Clone(req.Context())
		req.Header.Del("Content-Encoding")
		req.Header.Set("Content-Length", strconv.Itoa(len(body)))
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, req)
	})
}

func hashed(req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if want := req.Header.Get("X-Amz-Content-Sha256"); want != hex.EncodeToString(sum[:]) {
		return nil, errors.New("body and hash differ")
	}
	return body, nil
}

// unframed undoes aws-chunked, which has the form of HTTP's own chunks.
func unframed(req *http.Request) ([]byte, error) {
	framed := bufio.NewReader(req.Body)
	body, err := io.ReadAll(httputil.NewChunkedReader(framed))
	if err != nil {
		return nil, err
	}
	trailer, err := textproto.NewReader(framed).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	if trailer.Get("X-Amz-Checksum-Crc32") != base64.StdEncoding.EncodeToString(sum) {
		return nil, errors.New("body and checksum differ")
	}
	if req.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(body)) {
		return nil, errors.New("body and length differ")
	}
	return body, nil
}
