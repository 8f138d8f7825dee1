package main

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// loop is the retrying RoundTripper that one writes by hand: three attempts, GetBody for
// each further one, and a bound on what is read of a body that has none. It knows nothing
// of errors, waits or contexts, and proves nothing before it sends a POST again.
type loop struct{ base http.RoundTripper }

const loopKeeps = 16 << 20 // bytes, as insist's MaxReplayBytes

func (l loop) RoundTrip(req *http.Request) (*http.Response, error) {
	again := req.GetBody
	if req.Body != nil && req.Body != http.NoBody && again == nil {
		data, err := io.ReadAll(io.LimitReader(req.Body, loopKeeps+1))
		req.Body.Close()
		if err != nil || len(data) > loopKeeps {
			return nil, io.ErrShortBuffer
		}
		again = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		own := *req
		own.Body, _ = again()
		req = &own
	}
	for attempt := 1; ; attempt++ {
		resp, err := l.base.RoundTrip(req)
		if attempt == 3 || err == nil && resp.StatusCode < 500 {
			return resp, err
		}
		if err == nil {
			io.CopyN(io.Discard, resp.Body, 64<<10)
			resp.Body.Close()
		}
		if again != nil {
			next := *req
			if next.Body, err = again(); err != nil {
				return nil, err
			}
			req = &next
		}
	}
}

// besides are what the libraries are compared with: no library at all.
var besides = []library{
	{name: "bare"},
	{name: "by hand", over: func(base http.RoundTripper, _ time.Duration) http.RoundTripper { return loop{base} }},
}
