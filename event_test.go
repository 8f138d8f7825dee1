package insist

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const overloaded = "event: error\r\ndata: {\"type\":\"error\",\r\ndata: \"error\":{\"type\":\"overloaded_error\"}}\r\n\r\n"

// events is a response with a stream of these pieces, which then stays open until it
// is closed.
func events(contentType string, pieces ...string) step {
	return func(r *http.Request) (*http.Response, error) {
		pr, pw := io.Pipe()
		context.AfterFunc(r.Context(), func() { pr.CloseWithError(r.Context().Err()) })
		go func() {
			for _, p := range pieces {
				if d, err := time.ParseDuration(p); err == nil {
					time.Sleep(d)
				} else if _, err := io.WriteString(pw, p); err != nil {
					return
				}
			}
		}()
		resp := response(200, "Content-Type", contentType)
		resp.Body, resp.ContentLength = pr, -1
		return resp, nil
	}
}

// TestRetryableEvent looks at the first event only, and hands over the rest.
func TestRetryableEvent(t *testing.T) {
	isOverloaded := JSONField("/error/type", func(s string) bool { return s == "overloaded_error" })
	const stream, good = "text/event-stream; charset=utf-8", "data: {\"choices\":[]}\n\n"
	for _, c := range []struct {
		name   string
		edit   func(*Policy)
		step   step
		tries  int
		took   time.Duration
		starts string
	}{
		{"overloaded", nil, events(stream, overloaded), 2, 0, good},
		{"after comments, in pieces", nil, events("Text/Event-Stream", "\ufeff: hello\n\n:\n", "event: ping\n\n", overloaded[:20], overloaded[20:]), 2, 0, good},
		{"good", nil, events(stream, good+overloaded), 1, 0, good + overloaded},
		{"good, the rest later", nil, events(stream, good, "1h", overloaded), 1, 0, good},
		{"no JSON", nil, events(stream, "data: [DONE]\n\n"), 1, 0, "data: [DONE]\n\n"},
		{"late", nil, events(stream, "3s", overloaded), 1, time.Second, overloaded},
		{"within MaxPeekTime", func(p *Policy) { p.MaxPeekTime = time.Minute }, events(stream, "3s", overloaded), 2, 3 * time.Second, good},
		{"never ends", nil, events(stream, "data: x"), 1, time.Second, "data: x"},
		{"too long", func(p *Policy) { p.MaxPeekBytes = 10 }, events(stream, overloaded), 1, 0, overloaded},
		{"not looked into", func(p *Policy) { p.MaxPeekBytes = -1 }, events(stream, overloaded), 1, 0, overloaded},
		{"off", func(p *Policy) { p.RetryableEvent = nil }, events(stream, overloaded), 1, 0, overloaded},
		{"not a stream of events", nil, events("application/json", overloaded), 1, 0, overloaded},
		{"body conditions beside it", func(p *Policy) { p.RetryableBody = JSONField[any]("/error", nil) }, events(stream, overloaded), 2, 0, good},
		{"a failed status", func(p *Policy) { p.RetryableStatus = func(c int) bool { return c == 200 } }, events(stream, overloaded), 2, 0, good},
		{"any of", func(p *Policy) { p.RetryableEvent = AnyOf(JSONField[any]("/x", nil), p.RetryableEvent) }, events(stream, overloaded), 2, 0, good},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := Policy{MaxAttempts: 2, Backoff: Constant(0), RetryableEvent: isOverloaded}
				if c.edit != nil {
					c.edit(&p)
				}
				b := script(c.step, events(stream, good))
				start := time.Now()
				resp, err := (&RetryTransport{Base: b, Policy: p}).RoundTrip(request(t, "POST", "http://x/", strings.NewReader("{}")))
				require.NoError(t, err)
				assert.Equal(t, c.took, time.Since(start))
				assert.Len(t, b.Arrivals(), c.tries)
				got := make([]byte, len(c.starts))
				_, err = io.ReadFull(resp.Body, got)
				assert.NoError(t, err)
				assert.Equal(t, c.starts, string(got))
				resp.Body.Close()
				time.Sleep(2 * time.Hour) // for what would have come later
			})
		})
	}
}
