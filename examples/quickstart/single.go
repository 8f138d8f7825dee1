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

	"github.com/seed-552c89fc/insist"
)

// single is one request to any server.
type single struct {
	url, method, data string // the flags
}

// send sends the request, prints its timeline and returns the exit status.
func (s *single) send(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, record := insist.WithRecord(ctx)
	req, err := s.request(ctx, stdin)
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", describe(err))
		return 2
	}
	t := &timeline{out: stdout}
	client := newClient(t)
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		t.redirect(req.Method + " " + address(req.URL))
		return nil
	}
	t.begin(req.Method + " " + address(req.URL))
	resp, err := client.Do(req)
	if err != nil {
		t.end(record, "FAILED: "+explain(err, record))
		return 1
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		t.end(record, fmt.Sprintf("%s, but its body broke off after %d bytes: %s",
			status(resp.StatusCode), n, describe(err)))
		return 1
	}
	t.end(record, fmt.Sprintf("%s, %d bytes", status(resp.StatusCode), n))
	if resp.StatusCode >= 400 {
		return 1
	}
	return 0
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
	if err != nil {
		return nil, err
	}
	switch s.data {
	case "":
	case "-":
		// It can be read only once: insist keeps it while it is sent.
		req.Body, req.ContentLength = io.NopCloser(stdin), -1
		req.Header.Set("Content-Type", "application/octet-stream")
	default:
		err = sendFile(req, s.data)
	}
	return req, err
}

// sendFile has the request send a file. With GetBody each attempt opens the file
// anew, and nothing of it is kept in memory.
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

// explain is what may be printed of an error of http.Client.
func explain(err error, record *insist.Record) string {
	_, last := tally(record)
	if last.Reason == insist.ReasonSuccess || last.Reason == insist.ReasonAccepted {
		// http.Client didn't like the answer; its text may have a Location in it.
		return "the redirect could not be followed"
	}
	return describe(err)
}

// describe is what may be printed of an error: a url.Error says the whole URL.
func describe(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return cause(err)
}
