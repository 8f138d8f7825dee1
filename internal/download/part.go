package download

import (
	"context"
	"fmt"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/head"
)

// Part is the next part of a download: what to ask for, and why.
type Part struct {
	// Context is that of the requests. It ends with the download.
	Context context.Context

	// Err is the error in which the part before was truncated. If nil, that was no
	// failure: the server may send a shorter range than it is asked for (RFC 9110,
	// section 14.2), if that makes progress.
	Err error

	// Progress reports whether enough has come for a new count of attempts.
	Progress bool

	body  *Body
	taken bool
}

// SetHeader asks for the part in h, a request's header.
func (p *Part) SetHeader(h http.Header) {
	b := p.body
	if b.ranged {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", b.next, b.end-1))
	} else {
		h.Set("Range", fmt.Sprintf("bytes=%d-", b.next))
	}
	if v := b.validator.IfRange(); v != "" {
		h.Set("If-Range", v)
	} else {
		h.Del("If-Range") // the caller's own was for the first part
	}
}

// Take takes resp, if it brings what comes next of the same version: then its body is
// the part. Otherwise it says why not.
//
// A response that begins before what comes next is taken, too: a server that ignores
// Range sends all there is. What is known already is thrown away, but of one download
// no more than it is long. So it costs at most twice its bytes, which is less than
// the caller would pay who begins anew.
func (p *Part) Take(resp *http.Response) head.Obstacle {
	b := p.body
	if b.isComplete(resp) {
		b.end, b.left, p.taken = b.next, 0, true
		return ""
	}
	r, why := head.Continues(b.req, resp, b.validator)
	switch {
	case why != "":
		return why
	case resp.Body == nil, r.First > b.next, r.End >= 0 && r.End <= b.next,
		b.total >= 0 && r.Total >= 0 && r.Total != b.total,
		b.total >= 0 && r.End > b.total,
		b.end < 0 && r.End >= 0 && r.Total < 0: // nothing tells where the download ends
		return head.BadRange
	case b.reread+b.next-r.First > max(b.total, r.Total, b.next):
		return head.RangeIgnored
	}
	if b.total = max(b.total, r.Total); b.end < 0 {
		b.end = r.Total
	}
	b.known, b.left, p.taken = b.next-r.First, -1, true
	switch {
	case b.end < 0: // both responses are of unknown length: this one's end is the end
	case r.End >= 0:
		b.left = min(r.End, b.end) - b.next
	default:
		b.left = b.end - b.next
	}
	return ""
}

// isComplete reports whether resp says that all bytes of a download whose length was
// not known have come. Without a validator it says so of the version that If-Range
// was about.
func (b *Body) isComplete(resp *http.Response) bool {
	if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable || b.end >= 0 || resp.Body == nil {
		return false
	}
	total, ok := head.UnsatisfiedRange(resp.Header)
	return ok && total == b.next && b.validator.MayMatch(resp.Header)
}

// Taken reports whether Take has taken a response.
func (p *Part) Taken() bool { return p.taken }
