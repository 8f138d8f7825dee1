package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// bodyTraps are about the request and its body.
var bodyTraps = []trap{
	{name: "The body arrives whole after an early 503 on HTTP/2 (30 uploads of 2 MiB)", run: earlyAnswer},
	{name: "The body arrives whole while the transport still reads the last attempt's", run: stillReading},
	{name: "The first attempt starts before the body has been produced in full", run: streams},
	{name: "A body of 17 MiB that can be read once is sent again", run: longBody, gap: true},
	{name: "The caller's body is closed", run: closesBody},
	{name: "The caller's request is not changed", run: leavesRequest},
}

// pattern is a body by which a shift shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

// once hides what b is, so that it can only be read, and once.
func once(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }

func post(ctx context.Context, url string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(ctx, "POST", url, body)
	if err != nil {
		panic(err)
	}
	return req
}

// discardAnswer sends req and reads what comes.
func discardAnswer(rt http.RoundTripper, req *http.Request) (status int, err error) {
	resp, err := rt.RoundTrip(req)
	if resp == nil {
		return 0, err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode, err
}

func earlyAnswer(ctx context.Context, l library) verdict {
	const runs = 30
	want, wrong, failed := pattern(2<<20), 0, 0
	var whole atomic.Bool
	srv, base, end := serve(failFirst(unavailable, func(_ http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		whole.Store(bytes.Equal(got, want))
	}), overHTTP2)
	defer end()
	rt := l.over(base, 0)
	for n := 0; n < runs && ctx.Err() == nil; n++ {
		whole.Store(false)
		status, err := discardAnswer(rt, post(ctx, srv.URL, once(want)))
		switch {
		case ctx.Err() != nil: // too slow a machine for all of them
		case err != nil || status != 200:
			failed++
		case !whole.Load():
			wrong++
		}
	}
	return verdictOf(wrong+failed == 0, "of %d, %d failed and %d were answered 200 but wrong", runs, failed, wrong)
}

// stillReading has a base that does for certain what net/http's does seldom: its
// write loop reads the first attempt's body after RoundTrip has returned.
func stillReading(ctx context.Context, l library) verdict {
	want, whole := pattern(64<<10), false
	var before io.Reader
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		if before == nil {
			before = req.Body
			return newAnswer(503), nil
		}
		before.Read(make([]byte, 1<<10))
		got, _ := io.ReadAll(req.Body)
		whole = bytes.Equal(got, want)
		return newAnswer(200), nil
	})
	discardAnswer(l.over(base, 0), post(ctx, "http://example.com/", once(want)))
	return verdictOf(whole, "")
}

func streams(ctx context.Context, l library) verdict {
	r, w := io.Pipe()
	began := make(chan struct{})
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		close(began)
		io.Copy(io.Discard, req.Body)
		return newAnswer(200), nil
	})
	early := false
	go func() {
		defer w.Close()
		select {
		case <-began:
			early = true
		case <-time.After(soon):
		}
	}()
	discardAnswer(l.over(base, 0), post(ctx, "http://example.com/", r))
	return verdictOf(early, "reads it all first")
}

func longBody(ctx context.Context, l library) verdict {
	readFirst := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			next(w, r)
		}
	}
	srv, base, end := serve(failFirst(readFirst(unavailable), readFirst(ok)), plain)
	defer end()
	status, _ := discardAnswer(l.over(base, 0), post(ctx, srv.URL, once(make([]byte, 17<<20))))
	return verdictOf(status == 200, "MaxReplayBytes is 16 MiB")
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

func closesBody(ctx context.Context, l library) verdict {
	for _, fails := range []int{0, 1} {
		body := &closeCounter{Reader: strings.NewReader("body")}
		discardAnswer(l.over(newReplies(fails), 0), post(ctx, "http://example.com/", body))
		if body.closed == 0 {
			return verdict{is: no}
		}
	}
	return verdict{is: yes}
}

func leavesRequest(ctx context.Context, l library) verdict {
	req := post(ctx, "http://example.com/", once([]byte("body")))
	req.Header.Set("A", "b")
	before, header := *req, req.Header.Clone()
	discardAnswer(l.over(newReplies(1), 0), req)
	switch {
	case req.Body != before.Body:
		return verdict{no, "its Body is replaced"}
	case req.ContentLength != before.ContentLength, (req.GetBody == nil) != (before.GetBody == nil),
		req.URL != before.URL, !reflect.DeepEqual(req.Header, header), req.Context() != before.Context():
		return verdict{is: no}
	}
	return verdict{is: yes}
}
