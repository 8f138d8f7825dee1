// Package onlytransport is a way into SDKs that take an *http.Transport and no
// other http.RoundTripper. Where an SDK takes an *http.Client or a RoundTripper as
// well, use that.
//
//	config.Transport = onlytransport.Retrying(http.DefaultTransport.(*http.Transport), insist.Standard())
//
// What the SDK sets on the transport counts as before: its TLS configuration,
// proxy, dialer, timeouts. Three things are lost:
//
//   - HTTP/2. net/http takes for it the place in which the retries are put.
//   - The retries, where the SDK clones the transport. The clone works without.
//   - A body in memory is not recognised as one: it is sent again by GetBody, or
//     recorded.
//
// An SDK that sets HTTP/2 up on the transport by golang.org/x/net/http2 gets an
// error for it.
//
// Where HTTP/2 matters more than what the SDK sets, register a RetryTransport
// whose Base is a second transport. Then that one alone makes the connections: it
// has to have the TLS configuration, the proxy and the timeouts, and what the SDK
// sets on the first one, the way around a proxy included, is ignored in silence.
package onlytransport

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/seed-552c89fc/insist"
)

// Retrying returns a copy of base that makes its requests as the policy says. It
// is to be used as it is: a Clone of it makes one attempt.
func Retrying(base *http.Transport, policy insist.Policy) *http.Transport {
	t := base.Clone()
	t.Protocols = new(http.Protocols) // else net/http would want "https" for HTTP/2
	t.Protocols.SetHTTP1(true)
	in := &entrance{retry: &insist.RetryTransport{Base: attempts{t}, Policy: policy}, t: t}
	in.offerNoHTTP2() // for a Clone, which doesn't come by the entrance
	t.RegisterProtocol("http", in)
	t.RegisterProtocol("https", in)
	return t
}

// entrance is what the transport asks first.
type entrance struct {
	retry *insist.RetryTransport
	t     *http.Transport
	first sync.Once
}

func (e *entrance) RoundTrip(req *http.Request) (*http.Response, error) {
	e.first.Do(e.offerNoHTTP2)
	if req.Context().Value(attemptOf{e.t}) != nil {
		return nil, http.ErrSkipAltProtocol // the transport is to send it
	}
	return e.retry.RoundTrip(req)
}

// offerNoHTTP2 takes HTTP/2 out of the TLS configuration, else servers would speak
// it. The configuration may be one that another transport had added it to, and
// the SDK may have set it at any time before the first request.
func (e *entrance) offerNoHTTP2() {
	if c := e.t.TLSClientConfig; c != nil && slices.Contains(c.NextProtos, "h2") {
		c = c.Clone()
		c.NextProtos = slices.DeleteFunc(slices.Clone(c.NextProtos), func(p string) bool { return p == "h2" })
		e.t.TLSClientConfig = c
	}
}

// attemptOf marks requests that are attempts, by the transport that sends them:
// with the same context there may be requests by another one.
type attemptOf struct{ *http.Transport }

// attempts sends a request through the transport, past the entrance.
type attempts struct{ t *http.Transport }

func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := context.WithValue(req.Context(), attemptOf{a.t}, true)
	resp, err := a.t.RoundTrip(req.WithContext(ctx))
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}
