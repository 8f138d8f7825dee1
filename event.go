package insist

import (
	"bytes"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/sse"
)

// lookAtEvent asks RetryableEvent about the first event, if the last response is an
// event stream. It reads only until that event is complete, and never waits for bytes
// behind it, so that nothing behind it is held up.
func (c *call) lookAtEvent() Decision {
	limit := c.policy.maxPeekBytes()
	if limit < 0 || !c.body.Sent() || !head.IsEventStream(c.req, c.last.resp) {
		return Decision{}
	}
	r := c.openBody().Look(limit, c.policy.maxPeekTime())
	defer r.Stop()
	scanner := sse.Scanner{Max: limit}
	for state := sse.Pending; state != sse.Found; {
		piece, err := r.Next()
		if state = scanner.Feed(piece); state == sse.TooLong || state == sse.Pending && err != nil {
			c.last.canceled = c.waiter.Canceled()
			return Decision{}
		}
	}
	d := c.policy.RetryableEvent(c.req, c.last.resp, c.last.number, bytes.NewReader(scanner.Data()))
	c.last.canceled = c.waiter.Canceled()
	return d
}
