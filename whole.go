package insist

import (
	"io"
	"math"
	"time"
)

// wantsWhole reports whether the last response is to be read before it is handed
// over: it is short, as far as its head tells, and could be asked for again.
func (c *call) wantsWhole() bool {
	resp, most := c.last.resp, c.policy.MaxWholeBytes
	if most <= 0 || resp == nil || c.last.ended || resp.ContentLength > most || !hasBody(c.req, resp) {
		return false
	}
	if c.traced && c.policy.Classify == nil {
		return false // it would not be asked for again
	}
	contentType := resp.Header.Get("Content-Type")
	if isEvents(mediaType(contentType)) || resp.ContentLength < 0 && isStream(contentType) {
		return false
	}
	return c.body.sent() // else whoever sends may wait for the answer
}

// readWhole reads the last response into memory, going on from where a condition
// has stopped, and returns what its body ended with: io.EOF if it is whole, nil
// if it goes on. One that may be endless is given no more time than a condition;
// one of known length has the attempt's.
func (c *call) readWhole() error {
	resp, limit := c.last.resp, c.policy.MaxWholeBytes
	if limit < math.MaxInt64 {
		limit++ // to see the end of a body that just fits
	}
	body, looked := resp.Body.(*peekedBody)
	if !looked || body.off > 0 { // one further in has, and somebody has read
		body = newPeekedBody(resp, limit)
		body.look.wait = c.policy.maxPeekTime()
		resp.Body = body
	}
	wait := body.look.wait
	if resp.ContentLength >= 0 {
		wait = time.Duration(math.MaxInt64)
	}
	body.look = peekReader{body: body, caller: c.caller, limit: limit, wait: wait, all: true}
	r := &body.look
	defer r.stop()
	for {
		if _, err := r.Next(); err != nil {
			c.last.ended = c.caller.gone()
			if err == errPeekBytes || err == errPeekTime || c.last.ended && err != io.EOF {
				return nil
			}
			return err
		}
	}
}
