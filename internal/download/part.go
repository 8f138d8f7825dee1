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
	h.Set("If-Range", b.validator.IfRange())
}

// Take reports whether resp is what comes next of the same representation. Then its
// body is the part.
func (p *Part) Take(resp *http.Response) bool {
	b := p.body
	r, ok := head.ContentRange(resp.Header)
	switch {
	case !ok, resp.StatusCode != http.StatusPartialContent, resp.Body == nil,
		!head.IsPlain(resp), head.Redirected(b.req, resp), !b.validator.Matches(resp.Header), r.First != b.next,
		resp.ContentLength >= 0 && resp.ContentLength != r.End-r.First,
		b.total >= 0 && r.Total >= 0 && r.Total != b.total,
		b.end >= 0 && r.End > b.end,
		b.end < 0 && r.Total < 0: // nothing tells where it ends
		return false
	case b.end < 0:
		b.end = r.Total
	}
	b.total = max(b.total, r.Total)
	b.left, p.taken = r.End-r.First, true
	return true
}

// Taken reports whether Take has taken a response.
func (p *Part) Taken() bool { return p.taken }
