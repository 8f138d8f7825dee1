package insist

import (
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

// DefaultBase returns a new transport with the settings of a nil
// [RetryTransport.Base]. Use it to change some of them: a proxy, a TLS configuration,
// a limit on connections.
//
//	base := insist.DefaultBase()
//	base.TLSClientConfig = config
//	client := &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: insist.Standard()}}
//
// It is go-cleanhttp's pooled transport, made to find out within half a minute that
// nothing arrives on a connection any more:
//
//   - HTTP/2: after 20 s without a frame a ping is sent, and after 10 s without its
//     answer the connection is closed. Its requests fail then, and are retried as after
//     any error. (net/http sends no pings unless it is told to.) Pings go out however
//     many requests there are, also on connections that are idle. A server may forbid
//     them: one of gRPC's closes a connection on the fourth ping since it last sent
//     headers or data, unless it allows more. An idle connection is closed before, by
//     IdleConnTimeout; but where such a server leaves a request without response, or
//     a stream without data, for more than 80 s, set base.HTTP2 to nil.
//   - HTTP/1: TCP's keep-alive probes begin after 15 s, and close an idle connection
//     after the third that is not answered, 30 s in all, where the system lets that be
//     set. Nothing bounds the wait for a response; that is what
//     Policy.PerAttemptTimeout is for.
//   - A dial ends after 10 s, which allows for three lost SYN packets.
//   - An idle connection is closed after 55 s, before the minute is over after which
//     load balancers do: a request that crosses with that is lost.
//   - 100 idle connections are kept, all to one host if need be: the more calls run at
//     once, the more connections HTTP/1 needs.
//
// Everything else is as in [http.DefaultTransport]. Each call returns a transport with
// connections of its own; make one, and share it. In a browser (GOOS=js) net/http has
// fetch make the requests, for which none of this holds.
func DefaultBase() *http.Transport {
	base := cleanhttp.DefaultPooledTransport()
	base.DialContext = dialContext()
	base.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	base.IdleConnTimeout = 55 * time.Second
	base.MaxIdleConnsPerHost = base.MaxIdleConns
	return base
}

// sharedBase is what a nil Base stands for.
var sharedBase = sync.OnceValue(func() http.RoundTripper { return DefaultBase() })
