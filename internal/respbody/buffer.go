package respbody

import (
	"io"
	"math"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist/internal/wait"
)

// Buffer reads resp's body into memory, going on from where a look has stopped, and
// returns what the body ended with: io.EOF if it is complete; nil if it goes on
// beyond limit, in bytes, or did not end in time; else the error that truncated it.
// A body of unknown length may be endless: it is given what a look has left of its
// time, or most. One of known length is bounded by the waiter alone. Either way
// resp.Body gives what has been read.
func Buffer(w wait.Waiter, resp *http.Response, limit int64, most time.Duration) error {
	if limit < math.MaxInt64 {
		limit++ // to see the end of a body that just fits
	}
	body, looked := resp.Body.(*Body)
	if !looked || body.off > 0 { // another layer's, which has been read from
		body = newBody(resp, limit)
		body.look.left = most
		resp.Body = body
	}
	left := body.look.left
	if resp.ContentLength >= 0 {
		left = time.Duration(math.MaxInt64)
	}
	body.look = Reader{body: body, waiter: w, limit: limit, left: left, all: true}
	r := &body.look
	defer r.Stop()
	for {
		if _, err := r.Next(); err != nil {
			if err == errPeekBytes || err == errPeekTime || err != io.EOF && w.Canceled() {
				return nil
			}
			return err
		}
	}
}
