package respbody

import (
	"io"
	"math"
	"time"
)

// Buffer reads the body into memory, after the bytes that a look has already read. It
// returns io.EOF if the body is complete, nil if it is longer than limit bytes or did
// not end in time, and otherwise the error that truncated it. If the length is unknown,
// the body may be endless, so the wait is bounded: by the time that a look left unused,
// or by most if there was no look. If the length is known, only the waiter bounds it.
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
