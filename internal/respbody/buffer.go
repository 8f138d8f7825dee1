package respbody

import (
	"io"
	"math"
	"time"
)

// Buffer reads the body into memory, going on from where a look has stopped, and
// returns what it ended with: io.EOF if it is complete; nil if it goes on beyond limit,
// in bytes, or did not end in time; else the error that truncated it. A body of unknown
// length may be endless: it is given what a look has left of its time, or most. One of
// known length is bounded by the waiter alone.
func (b *Body) Buffer(limit int64, most time.Duration) error {
	left := most
	switch {
	case b.resp.ContentLength > 0:
		left = math.MaxInt64
	case b.reader.body != nil:
		left = b.reader.left
	}
	if limit < math.MaxInt64 {
		limit++ // to see the end of a body that just fits
	}
	r := b.read(Reader{body: b, limit: limit, left: left, all: true})
	defer r.Stop()
	for {
		if _, err := r.Next(); err != nil {
			if err == errPeekBytes || err == errPeekTime || err != io.EOF && b.attempt.Waiter.Canceled() {
				return nil
			}
			return err
		}
	}
}
