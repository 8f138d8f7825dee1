package insist

import (
	"bytes"

	"github.com/seed-552c89fc/insist/internal/head"
	"github.com/seed-552c89fc/insist/internal/sse"
)

// lookAtEvent asks the condition on the first event of the last response, which is an
// event stream. The look reads no further than the network has brought when the event
// is complete, so that nothing behind it is held up.
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
			c.last.ended = c.waiter.Canceled()
			return Decision{}
		}
	}
	d := c.policy.RetryableEvent(c.req, c.last.resp, c.last.number, bytes.NewReader(scanner.Data()))
	c.last.ended = c.waiter.Canceled()
	return d
}
