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
// It is go-cleanhttp's pooled transport with these changes, most of them to find a dead
// connection within half a minute:
//
//   - HTTP/2: if no frame arrives for 20 s, a ping is sent. If no reply arrives for
//     another 10 s, the connection is closed; its requests fail, and are retried as
//     after any error. (net/http's default is to send no pings.) Pings are sent on idle
//     connections, too. Some servers forbid many pings: unless told otherwise, a gRPC
//     server closes a connection on the fourth ping since it last sent headers or data.
//     An idle connection never gets that far, because of IdleConnTimeout. But if such a
//     server may leave a request without a response, or a stream without data, for more
//     than 80 s, set base.HTTP2 to nil.
//   - HTTP/1: TCP's keep-alive probes begin after 15 s. After the third one without a
//     reply, 30 s in all, an idle connection is closed, if the operating system lets
//     these times be set. Nothing bounds the wait for a response: use
//     Policy.PerAttemptTimeout for that.
//   - A dial ends after 10 s, which allows for three lost SYN packets.
//   - An idle connection is closed after 55 s. Many load balancers close it after 60 s,
//     and a request that is sent in that moment is lost.
//   - 100 idle connections are kept, if need be all to one host: on HTTP/1 each call in
//     flight needs a connection.
//
// Everything else is as in [http.DefaultTransport]. Each call of DefaultBase returns a
// transport with its own connections: make one, and share it. In a browser (GOOS=js)
// net/http makes requests by fetch, and none of this applies.
func DefaultBase() *http.Transport {
	base := cleanhttp.DefaultPooledTransport()
	base.DialContext = dialContext()
	base.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	base.IdleConnTimeout = 55 * time.Second
	base.MaxIdleConnsPerHost = base.MaxIdleConns
	return base
}

// sharedBase returns the transport that is used if Base is nil.
var sharedBase = sync.OnceValue(func() http.RoundTripper { return DefaultBase() })
