package insist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// errOtherAnswer is on record where an answer is not the piece that was asked
// for. The caller gets the error in which the body broke off.
var errOtherAnswer = errors.New("insist: the answer does not go on where the body broke off")

// download is a response's body that goes on, by further requests, where it
// breaks off. Read alone moves it; Close may come from anywhere.
type download struct {
	base      http.RoundTripper
	policy    Policy
	values    *contextValue
	req       *http.Request // the caller's
	ranged    bool          // it asked for a range
	validator head.Validator
	begun     time.Time
	reporter  reporter

	head.Span       // from the next byte to the end; the end is negative if not known
	left      int64 // of this piece; negative for the first, whose end is the server's
	number    int   // of the attempt that brought this piece, from the last progress on
	progress  bool  // this piece has given something
	broken    error // that came with the last bytes
	err       error // that Read has returned, and will again

	mu     sync.Mutex
	piece  io.ReadCloser
	ctx    context.Context // of the further requests; nil until there is one
	cancel context.CancelFunc
	closed bool
}

// makeResumable gives resp a body that is resumed, if it can be.
func (c *call) makeResumable(resp *http.Response) {
	if c.idempotent != yes || c.req.Method != http.MethodGet && c.req.Method != "" ||
		c.req.Body != nil && c.req.Body != http.NoBody || resp.ContentLength == 0 || !head.HasBody(c.req, resp) || !head.IsPlain(resp) ||
		len(resp.Trailer) > 0 || head.Redirected(c.req, resp) {
		return
	}
	at, ok := head.Span{End: resp.ContentLength, Total: resp.ContentLength}, false
	ranged := resp.StatusCode == http.StatusPartialContent
	if ranged {
		at, ok = head.ContentRange(resp.Header)
		ok = ok && (resp.ContentLength < 0 || resp.ContentLength == at.End-at.First)
	} else {
		ok = resp.StatusCode == http.StatusOK && head.AcceptsRanges(resp.Header)
	}
	v := head.ValidatorOf(resp.Header)
	if !ok || v == (head.Validator{}) {
		return
	}
	d := &download{
		base: c.base, policy: *c.policy, values: c.values, req: c.req, ranged: ranged, validator: v,
		begun: c.begun, reporter: c.reporter, Span: at, left: -1, number: c.last.number, piece: resp.Body,
	}
	d.policy.RetryableBody, d.policy.MaxWholeBytes, d.policy.ResumeDownloads = nil, 0, false
	failed := c.policy
	d.policy.RetryableStatus = func(code int) bool {
		switch code {
		case http.StatusPartialContent: // what is asked for
		case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable: // it will stay changed
		default:
			return failed.retryableStatus(code)
		}
		return false
	}
	resp.Body = d
}

func (d *download) Read(p []byte) (int, error) {
	for d.err == nil {
		n, err := d.take(p)
		switch {
		case err == nil:
			return n, nil
		case err == io.EOF && (d.left < 0 || d.First == d.End):
			return n, d.stop(err)
		case n > 0:
			d.broken = err
			return n, nil
		}
		if err = d.resume(err); err != nil {
			return 0, d.stop(err)
		}
	}
	return 0, d.err
}

// take reads this piece, and nothing behind it.
func (d *download) take(p []byte) (n int, err error) {
	if err, d.broken = d.broken, nil; err != nil {
		return 0, err
	}
	if d.left == 0 {
		return 0, io.EOF
	}
	if d.left > 0 {
		p = p[:min(int64(len(p)), d.left)]
	}
	n, err = d.piece.Read(p)
	d.First += int64(n)
	d.progress = d.progress || n > 0
	if d.left > 0 {
		d.left -= int64(n)
	}
	return n, err
}

// stop ends the download in err.
func (d *download) stop(err error) error {
	d.err = err
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
	return err
}

// resume gets the next piece after this one has ended in broken. The error that it
// returns is Read's.
func (d *download) resume(broken error) error {
	short := d.left == 0 // no failure: the server may send less than it is asked for
	if broken == io.EOF {
		broken = io.ErrUnexpectedEOF
	}
	req, ok := d.request()
	if !ok {
		return broken
	}
	if d.progress {
		d.reporter.before += d.number - 1
		d.number = 1
	}
	c := call{
		base: d.base, policy: &d.policy, values: d.values, req: req, waiter: wait.ForRequest(req),
		idempotent: yes, begun: d.begun, reporter: d.reporter,
	}
	d.err = broken // to stay, should a hook panic: there is no piece to read
	d.swap(http.NoBody)
	last := outcome{
		number: d.number, req: req, err: broken, host: req.URL.Host,
		bucket: d.policy.hostKey(req.URL), begun: d.begun,
		ended: c.waiter.Canceled(), whole: true, idempotent: true, progress: d.progress, short: short,
	}
	resp, err := c.run(last)
	d.reporter, d.number, d.progress = c.reporter, c.last.number, false
	d.err = d.splice(&c, resp, err, broken)
	return d.err
}

// request returns the request for what is left, if there is anything, and somebody
// to read it.
func (d *download) request() (*http.Request, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.End >= 0 && d.First >= d.End || wait.ForRequest(d.req).Canceled() {
		return nil, false
	}
	if d.ctx == nil {
		d.ctx, d.cancel = context.WithCancel(d.req.Context())
	}
	req := d.req.WithContext(d.ctx)
	req.Header = req.Header.Clone()
	if d.ranged {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.First, d.End-1))
	} else {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.First))
	}
	req.Header.Set("If-Range", d.validator.IfRange())
	return req, true
}

// swap closes d's piece, and has next in its place, unless d has been closed.
func (d *download) swap(next io.ReadCloser) bool {
	d.mu.Lock()
	last := d.piece
	if d.closed {
		last = next
	} else {
		d.piece = next
	}
	closed := d.closed
	d.mu.Unlock()
	last.Close()
	return !closed
}

// splice puts the piece that the call has brought in its place.
func (d *download) splice(c *call, resp *http.Response, err, broken error) error {
	switch {
	case err == nil && !d.fits(resp):
		c.lastAttempt().Discard(resp, 0)
		c.last.err = errOtherAnswer
		d.reporter.report(&c.last, action{reason: ReasonError})
		return broken
	case err == nil && d.swap(resp.Body):
		return nil
	case wait.ForRequest(d.req).Canceled():
		return err
	case c.waiter.Canceled():
		return http.ErrBodyReadAfterClose
	}
	return broken
}

// fits reports whether resp is what comes next of the same representation.
func (d *download) fits(resp *http.Response) bool {
	s, ok := head.ContentRange(resp.Header)
	switch {
	case !ok, resp.StatusCode != http.StatusPartialContent, resp.Body == nil,
		!head.IsPlain(resp), head.Redirected(d.req, resp), !d.validator.In(resp.Header), s.First != d.First,
		resp.ContentLength >= 0 && resp.ContentLength != s.End-s.First,
		d.Total >= 0 && s.Total >= 0 && s.Total != d.Total,
		d.End >= 0 && s.End > d.End,
		d.End < 0 && s.Total < 0: // nothing tells where it ends
		return false
	case d.End < 0:
		d.End = s.Total
	}
	d.Total = max(d.Total, s.Total)
	d.left = s.End - s.First
	return true
}

// Close ends the piece, and a request for one that is under way.
func (d *download) Close() error {
	d.mu.Lock()
	d.closed = true
	piece, cancel := d.piece, d.cancel
	d.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	return piece.Close()
}
