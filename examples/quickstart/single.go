package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// single is one request to any server.
type single struct {
	url, method, data string // the flags
}

// send sends the request, prints its attempts and returns the exit status.
func (s *single) send(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, record := insist.WithRecord(ctx)
	req, err := s.request(ctx, stdin)
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", describe(err))
		return 2
	}
	p := &printer{out: stdout, base: newTransport(), indent: "  "}
	client := newClient(p)
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		fmt.Fprintf(stdout, "  redirected to %s %s\n", req.Method, address(req.URL))
		return nil
	}
	start := time.Now()
	fmt.Fprintf(stdout, "%s %s\n", req.Method, address(req.URL))
	resp, err := client.Do(req)
	if err != nil && p.last.Status != 0 && p.last.Err == nil && !p.last.Retry { // its text may have a Location in it
		err = errors.New("the redirect could not be followed")
	}
	result, code := outcome(resp, err)
	fmt.Fprintf(stdout, "  result: %s, after %s and %s\n", printable(result), count(record), seconds(time.Since(start)))
	return code
}

// outcome reads a response to its end, and returns the text to print about it and the exit
// status.
func outcome(resp *http.Response, err error) (string, int) {
	if err != nil {
		return "FAILED: " + describe(err), 1
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil:
		return fmt.Sprintf("%s, but its body ended after %d bytes: %s", status(resp.StatusCode), n, describe(err)), 1
	case resp.StatusCode >= 400:
		return fmt.Sprintf("%s, %d bytes", status(resp.StatusCode), n), 1
	}
	return fmt.Sprintf("%s, %d bytes", status(resp.StatusCode), n), 0
}

// request makes the request of the flags.
func (s *single) request(ctx context.Context, stdin io.Reader) (*http.Request, error) {
	method := s.method
	switch {
	case method != "":
	case s.data != "":
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url, nil)
	switch {
	case !strings.Contains(s.url, "://"):
		return nil, errors.New("http:// or https:// is missing at the beginning of the URL")
	case err != nil:
		return nil, err
	}
	switch s.data {
	case "":
	case "-":
		// Standard input can be read only once: insist buffers it while it is sent.
		req.Body, req.ContentLength = io.NopCloser(stdin), -1
		req.Header.Set("Content-Type", "application/octet-stream")
	default:
		err = sendFile(req, s.data)
	}
	return req, err
}

// sendFile makes the request send a file. With GetBody, each attempt opens the file again,
// and the file isn't kept in memory.
func sendFile(req *http.Request, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = file, -1
	req.Header.Set("Content-Type", "application/octet-stream")
	if known := mime.TypeByExtension(filepath.Ext(name)); known != "" {
		req.Header.Set("Content-Type", known)
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		req.ContentLength = info.Size()
		req.GetBody = func() (io.ReadCloser, error) { return os.Open(name) }
	}
	return nil
}

// address is the part of u that may be printed: queries and passwords are not.
func address(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
