package insist

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"

	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/reqbody"
	"github.com/seed-552c89fc/insist/internal/wait"
)

// outgoing is an attempt that is sent as a copy of the caller's request. One
// allocation holds the copy, the mark in its context, and the tracker; one word more
// is the next size class.
type outgoing struct {
	reqbody.Lease
	mark    contextValue
	tracker neterr.Tracker
}

// outgoing builds attempt n. A non-nil error is the call's.
func (c *call) outgoing(n int) (*outgoing, error) {
	out := c.copy(n)
	if n > 1 {
		c.adapt(&out.Request)
	}
	if err := c.body.Fill(&out.Lease); err != nil {
		return nil, c.fail(ReasonBody, err)
	}
	if n > 1 && c.policy.Prepare != nil {
		if err := c.policy.Prepare(&out.Request); err != nil {
			return nil, c.fail(ReasonError, err)
		}
	}
	if c.body.Once {
		sendOnce(&out.Request)
	}
	return out, nil
}

// copy returns a request for attempt n that shares headers and URL with the
// caller's.
func (c *call) copy(n int) *outgoing {
	out := new(outgoing)
	out.Number = int32(c.reporter.before + n)
	out.mark = contextValue{Context: c.req.Context(), outer: c.values, attempt: out}
	ctx, timed := context.Context(&out.mark), c.policy.PerAttemptTimeout > 0
	if timed {
		c.limit = wait.NewLimit(ctx, c.policy.PerAttemptTimeout)
		ctx = c.limit.Context()
	}
	if c.traced {
		ctx = httptrace.WithClientTrace(ctx, out.tracker.Trace(timed))
	}
	out.Request = *c.req.WithContext(ctx)
	if timed {
		// On HTTP/2 an attempt that is cut off may go on reading its headers.
		out.Request.Header = out.Request.Header.Clone()
	}
	return out
}

// isRequest reports whether r is the attempt's request, or the copy of it by which
// net/http tracks its body, and which it leaves in responses over HTTP/2.
func (out *outgoing) isRequest(r *http.Request) bool {
	return r != nil && r.URL == out.Request.URL && r.Context() == out.Request.Context()
}

// adapt changes what is not to be sent as it was in the first attempt.
func (c *call) adapt(req *http.Request) {
	if c.policy.Prepare != nil {
		req.Header, req.URL = req.Header.Clone(), cloneURL(req.URL)
	}
	if c.last.resp != nil && expectationFailed(c.req, c.last.resp) {
		c.unexpected = true
	}
	if c.unexpected {
		req.Header = req.Header.Clone()
		req.Header.Del("Expect")
	}
}

func cloneURL(u *url.URL) *url.URL {
	c := *u // its User is immutable
	return &c
}

// repeatedBelow reports whether net/http counts req as idempotent. Then it repeats
// it by itself when a kept connection is closed before a response, unless there is a
// body without GetBody (Request.isReplayable). That must not happen to a GET that
// Policy.Idempotent says is not.
func repeatedBelow(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return hasKey(req)
}

// sendOnce changes req, an attempt's own, so that net/http does not repeat it by
// itself. With an empty body of these methods HTTP/1 sends none; HTTP/2 sends it,
// after the headers. Other methods would get a chunked one, so that their key is
// spelled in a way that net/http does not look for. A TRACE may have no body.
func sendOnce(req *http.Request) {
	if req.GetBody = nil; !repeatedBelow(req) || req.Body != nil && req.Body != http.NoBody {
		return
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		req.Body = io.NopCloser(strings.NewReader(""))
		return
	}
	req.Header = req.Header.Clone()
	for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := req.Header[key]; ok {
			delete(req.Header, key)
			req.Header[strings.ToLower(key)] = values
		}
	}
}
