package respbody

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// What is read of an answer that is thrown away, so that its HTTP/1 connection
// can be used again. More than this costs more than a new connection.
const (
	drainBytes   = 64 << 10
	DrainAtLeast = 50 * time.Millisecond  // also where there is no wait
	DrainAtMost  = 500 * time.Millisecond // where the wait is longer
)

// Discard closes resp, after reading what little is left of it. wait is how long
// the next attempt will wait anyway.
func Discard(w wait.Waiter, resp *http.Response, wait time.Duration) {
	if resp == nil || resp.Body == nil {
		return
	}
	drain := worthDraining(resp)
	if !drain && !closeMayBlock(resp) {
		resp.Body.Close()
		return
	}
	var over atomic.Bool
	shut := sync.OnceFunc(func() { over.Store(true); resp.Body.Close() })
	discarded := make(chan struct{})
	go func() {
		defer close(discarded)
		defer shut()
		if drain { // one byte more than a body may have, to see its end
			io.CopyN(io.Discard, &until{resp.Body, &over}, drainBytes+1)
		}
	}()
	switch late := !w.Await(discarded, min(max(wait, DrainAtLeast), DrainAtMost)); {
	case late && drain && resp.Uncompressed:
		go shut() // see Body.Close
	case late && drain:
		shut() // ends the goroutine's Read
	}
}

// worthDraining reports whether the connection waits for the body to be read.
// On HTTP/2 it does not: closing ends the stream.
func worthDraining(resp *http.Response) bool {
	return resp.Body != http.NoBody && resp.ContentLength != 0 &&
		resp.ContentLength <= drainBytes && resp.ProtoMajor < 2 && !resp.Close
}

// closeMayBlock reports whether closing the response waits for a Read of the
// request's body, as it does on HTTP/2: that may be one that ignores its Close.
func closeMayBlock(resp *http.Response) bool {
	return resp.Body != http.NoBody && resp.ProtoMajor >= 2
}

// until is a reader that ends when over is set, should its source ignore Close.
type until struct {
	io.Reader
	over *atomic.Bool
}

func (u *until) Read(p []byte) (int, error) {
	if u.over.Load() {
		return 0, io.EOF
	}
	return u.Reader.Read(p)
}
