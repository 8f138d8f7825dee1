package download

import (
	"context"
	"fmt"
	"net/http"

	"github.com/seed-552c89fc/insist/internal/head"
)

// Part is the next part of a download, to be requested.
type Part struct {
	// Context is the context of the requests. It ends with the download.
	Context context.Context

	// Err is the error by which the part before was truncated. If nil, that part was
	// complete, although shorter than the requested range (RFC 9110, section 14.2, lets a
	// server do that), and it made progress.
	Err error

	// Progress reports whether enough bytes have arrived to reset the count of attempts.
	Progress bool

	body     *Body
	accepted bool
}

// SetHeader sets Range and If-Range in h, the header of a request for the part.
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
		h.Del("If-Range") // the caller's own value was for the first part only
	}
}

// Accept accepts resp if its body contains the next bytes of the same version. If so,
// resp's body is the part; otherwise Accept returns why not.
//
// The response may begin before the next byte: a server that ignores Range sends the
// complete representation. Bytes that were read before are skipped. One download skips at
// most as many bytes as the representation has. So it transfers at most twice its bytes,
// as if the caller had started again once.
func (p *Part) Accept(resp *http.Response) head.Obstacle {
	b := p.body
	if b.isComplete(resp) {
		b.end, b.left, p.accepted = b.next, 0, true
		return ""
	}
	r, why := head.Continues(b.req, resp, b.validator)
	switch {
	case why != "":
		return why
	case resp.Body == nil, r.First > b.next, r.End >= 0 && r.End <= b.next,
		b.total >= 0 && r.Total >= 0 && r.Total != b.total,
		b.total >= 0 && r.End > b.total,
		b.end < 0 && r.End >= 0 && r.Total < 0: // the end of the download is unknown
		return head.BadRange
	case b.skipped+b.next-r.First > max(b.total, r.Total, b.next):
		return head.RangeIgnored
	}
	if b.total = max(b.total, r.Total); b.end < 0 {
		b.end = r.Total
	}
	b.skip, b.left, p.accepted = b.next-r.First, -1, true
	switch {
	case b.end < 0: // a complete representation of unknown length: it ends where the part ends
	case r.End >= 0:
		b.left = min(r.End, b.end) - b.next
	default:
		b.left = b.end - b.next
	}
	return ""
}

// isComplete reports whether the length of the download was unknown, and resp, a 416, says
// that all its bytes have been read.
func (b *Body) isComplete(resp *http.Response) bool {
	if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable || b.end >= 0 || resp.Body == nil {
		return false
	}
	total, ok := head.UnsatisfiedRange(resp.Header)
	return ok && total == b.next && b.validator.MayMatch(resp.Header)
}

// Accepted reports whether Accept has accepted a response.
func (p *Part) Accepted() bool { return p.accepted }
