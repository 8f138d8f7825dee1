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

	// Err is the error in which the part before was truncated. If nil, that part was
	// complete, although shorter than the range that was requested (a server may do
	// that: RFC 9110, section 14.2), and it made progress.
	Err error

	// Progress reports whether enough has come for a new count of attempts.
	Progress bool

	body     *Body
	accepted bool
}

// SetHeader requests the part in h, a request's header.
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
		h.Del("If-Range") // the caller's own was about the first part
	}
}

// Accept accepts resp if it brings the next bytes of the same version. Then resp's body
// is the part. Otherwise it says why not.
//
// The response may begin before the next byte: a server that ignores Range sends all
// of the representation. What has been read before is skipped, but in one download no
// more bytes than that is long. So a download costs at most twice its bytes, as if the
// caller had begun again once.
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
		b.end < 0 && r.End >= 0 && r.Total < 0: // nothing tells where the download ends
		return head.BadRange
	case b.skipped+b.next-r.First > max(b.total, r.Total, b.next):
		return head.RangeIgnored
	}
	if b.total = max(b.total, r.Total); b.end < 0 {
		b.end = r.Total
	}
	b.skip, b.left, p.accepted = b.next-r.First, -1, true
	switch {
	case b.end < 0: // all of a representation of unknown length: it ends where the part ends
	case r.End >= 0:
		b.left = min(r.End, b.end) - b.next
	default:
		b.left = b.end - b.next
	}
	return ""
}

// isComplete reports whether the length of the download was unknown, and resp says that
// all its bytes have come.
func (b *Body) isComplete(resp *http.Response) bool {
	if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable || b.end >= 0 || resp.Body == nil {
		return false
	}
	total, ok := head.UnsatisfiedRange(resp.Header)
	return ok && total == b.next && b.validator.MayMatch(resp.Header)
}

// Accepted reports whether Accept has accepted a response.
func (p *Part) Accepted() bool { return p.accepted }
