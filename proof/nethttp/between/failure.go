package between

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-552c89fc/insist"
)

// share is how much of a request's body is read before the first attempt fails.
type share int

const (
	none share = iota
	half
	whole
)

// failure is how the first attempt of each call fails.
type failure struct {
	read share
	err  error // nil: a 503
}

// errLost does not name a broken connection: after such an error insist avoids connections
// that were idle at that time, which the tests count.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errLost    = errors.New("between: the response was lost")
)

// mark is in the head of each 503 that is ours.
const mark = "Insist-Between"

// patience bounds how long a body is read that has no end, or that waits for the
// response, as a server would answer after a while.
const patience = 50 * time.Millisecond

// waitReally returns a channel that is closed when patience is over, in real time: the
// time of a bubble of testing/synctest does not pass while its test waits for a socket.
// It ends when stop is set.
func waitReally(stop *atomic.Bool) <-chan struct{} {
	const steps = 50
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range steps {
			if stop.Load() {
				return
			}
			sleepReally(patience / steps)
		}
	}()
	return over
}

// failing returns a wrapper that retries the failure that its base begins with, and
// nothing else. The test's own exchange is the second attempt of three.
func failing(f failure) func(http.RoundTripper) http.RoundTripper {
	policy := insist.Policy{
		Backoff:       insist.Constant(0),
		NonIdempotent: insist.ResendEvenIfLost,
		Classify: func(_ *http.Request, resp *http.Response, err error, _ int) insist.Decision {
			if resp != nil && resp.Header.Get(mark) != "" || err != nil && errors.Is(err, f.err) {
				return insist.Decision{Verdict: insist.Retry}
			}
			return insist.Decision{Verdict: insist.Stop}
		},
	}
	return func(base http.RoundTripper) http.RoundTripper {
		return &insist.RetryTransport{Base: &failingOnce{RoundTripper: base, failure: f}, Policy: policy}
	}
}

type failingOnce struct {
	http.RoundTripper
	failure failure
	failed  bool
}

func (f *failingOnce) WrappedRoundTripper() http.RoundTripper { return f.RoundTripper }

func (f *failingOnce) CloseIdleConnections() {
	if c, ok := f.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip fails once. A request whose context has ended it leaves to the base, since no
// other attempt could follow.
func (f *failingOnce) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.failed || req.Context().Err() != nil {
		return f.RoundTripper.RoundTrip(req)
	}
	f.failed = true
	if req.Body != nil {
		err := readBody(req, f.failure.read)
		req.Body.Close()
		if err != nil {
			return nil, err // as any transport would
		}
	}
	if f.failure.err != nil {
		return nil, f.failure.err
	}
	const text = "not yet"
	return &http.Response{
		Status: "503 Service Unavailable", StatusCode: http.StatusServiceUnavailable,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{mark: {"1"}, "Content-Type": {"text/plain"}},
		ContentLength: int64(len(text)),
		Body:          io.NopCloser(strings.NewReader(text)),
		Request:       req,
	}, nil
}

// readBody reads the share s of the body. It stops reading when patience has passed or the
// context has ended. It returns the body's error.
func readBody(req *http.Request, s share) error {
	if s == none {
		return nil
	}
	done := make(chan error, 1)
	body, length := req.Body, req.ContentLength // the request is the caller's again when we return
	go func() {
		var err error
		switch {
		case s == whole:
			_, err = io.Copy(io.Discard, body)
		case length > 1:
			_, err = io.CopyN(io.Discard, body, length/2)
		default:
			_, err = body.Read(make([]byte, 512))
		}
		done <- err
	}()
	var stop atomic.Bool
	defer stop.Store(true)
	select {
	case err := <-done:
		if err == io.EOF {
			return nil
		}
		return err
	case <-waitReally(&stop):
	case <-req.Context().Done():
	}
	return nil
}
