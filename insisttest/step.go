package insisttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist/internal/errno"
)

// Step is what one attempt meets: a response, or an error in place of one. Any
// such function is a step, also one that calls another, with the request that it was
// given: Status(429)(req). Write your own for what is not here. The request's Body may be nil. What a step leaves unread of it is
// read after it has returned a response, and not after an error. On a server an
// error resets the connection, and one that the response's body returns truncates
// the response.
type Step func(*http.Request) (*http.Response, error)

// Status responds with a status code, with the status text as the body, and with headers,
// given as alternating keys and values. It panics if their number is odd.
func Status(code int, headers ...string) Step {
	return respond(code, "text/plain; charset=utf-8", http.StatusText(code), headers)
}

// JSON responds with a status code, with a JSON body, which is sent unchanged, and with
// headers as in Status.
func JSON(code int, body string, headers ...string) Step {
	return respond(code, "application/json", body, headers)
}

func respond(code int, kind, body string, headers []string) Step {
	if len(headers)%2 != 0 {
		panic("insisttest: a header without a value")
	}
	h := http.Header{}
	for pair := range slices.Chunk(headers, 2) {
		h.Add(pair[0], pair[1])
	}
	if code < 200 || code == http.StatusNoContent || code == http.StatusNotModified {
		body = ""
	} else if h.Get("Content-Type") == "" {
		h.Set("Content-Type", kind)
	}
	return func(req *http.Request) (*http.Response, error) {
		if err := readAll(req); err != nil {
			return nil, err
		}
		content := body
		if req.Method == http.MethodHead {
			content = ""
		}
		return &http.Response{
			Status: fmt.Sprint(code, " ", http.StatusText(code)), StatusCode: code,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: h.Clone(), ContentLength: int64(len(body)),
			Body: &Body{Reader: strings.NewReader(content)},
		}, nil
	}
}

// Reset resets the connection before any of the request's body is read.
func Reset() Step {
	return func(*http.Request) (*http.Response, error) { return nil, errReset }
}

// Lost reads the complete request, and then resets the connection: the request may have
// had its effect, but the response is lost.
func Lost() Step { return After(0, Reset()) }

// errReset is the error that net/http returns, except for the addresses, which a base
// doesn't have.
var errReset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno.Reset.Err())}

// After reads the complete request, waits for d, and plays step. If the request's context
// ends before that, the attempt fails with the context's error. So After(time.Hour, …) is
// a server that does not respond.
func After(d time.Duration, step Step) Step {
	return func(req *http.Request) (*http.Response, error) {
		if err := readAll(req); err != nil {
			return nil, err
		}
		if d <= 0 {
			return step(req)
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return step(req)
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
	}
}

// CutAfter plays step, and truncates the body of its response after n bytes. The client
// gets the response, reads n bytes, and then gets io.ErrUnexpectedEOF or, on HTTP/2, the
// error of a reset stream. A body of up to n bytes arrives completely.
func CutAfter(n int, step Step) Step {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := step(req)
		if resp != nil && resp.Body != nil {
			resp.Body = &Body{Reader: &cut{resp.Body, n}}
		}
		return resp, err
	}
}

type cut struct {
	io.ReadCloser
	left int
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left > 0 {
		n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
		c.left -= n
		return n, err
	}
	if _, err := io.ReadFull(c.ReadCloser, make([]byte, 1)); err != nil {
		return 0, err
	}
	return 0, io.ErrUnexpectedEOF
}

func readAll(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, req.Body)
	return err
}
