package integrationtests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/neterr"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// realErrors are the ways in which a request fails, each made with a
// real failure. hits is how often a handler saw the request.
var realErrors = []struct {
	name      string
	world     func(t *testing.T, hit func()) (base http.RoundTripper, url string)
	get, post ends
	hits      [2]int
	check     func(error) bool
}{
	{"refused", refused, usesUp(3), usesUp(3), [2]int{}, is(syscall.ECONNREFUSED)},
	{"refused by the proxy", proxyRefused, usesUp(3), usesUp(3), [2]int{}, is(syscall.ECONNREFUSED)},
	{"no time to dial", dialTimeout, usesUp(3), usesUp(3), [2]int{}, isTimeout},
	{"unknown host", nameServer(3), permanent, permanent, [2]int{}, as[*net.DNSError]},
	{"name server fails", nameServer(2), usesUp(3), usesUp(3), [2]int{}, as[*net.DNSError]},
	{"reset before headers", answers1(func(r *http.Request) {
		io.Copy(io.Discard, r.Body)
		servertest.Cut(r, true)
	}), usesUp(3), maybeDone, [2]int{3, 1}, is(syscall.ECONNRESET)},
	{"reset in mid-upload", answers1(func(r *http.Request) { servertest.Cut(r, true) }),
		usesUp(3), maybeDone, [2]int{3, 1}, anyError},
	{"closed without a response", answers1(func(r *http.Request) {
		io.Copy(io.Discard, r.Body)
		servertest.Cut(r, false)
	}), usesUp(3), maybeDone, [2]int{3, 1}, is(io.EOF)},
	{"not HTTP", notHTTP, usesUp(3), maybeDone, [2]int{3, 1}, anyError},
	{"reset in the TLS handshake", resetInHandshake, usesUp(3), usesUp(3), [2]int{3, 3}, anyError},
	{"plain HTTP on a TLS port", plainOnTLS, permanent, permanent, [2]int{}, as[tls.RecordHeaderError]},
	{"unknown CA", overTLS(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }),
		permanent, permanent, [2]int{}, as[x509.UnknownAuthorityError]},
	{"wrong host name", overTLS(func(c *tls.Config) { c.ServerName = "other.test" }),
		permanent, permanent, [2]int{}, as[x509.HostnameError]},
	{"no common TLS version", overTLS(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }),
		permanent, permanent, [2]int{}, as[*net.OpError]},
	{"no client certificate", overTLS12(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }),
		permanent, permanent, [2]int{}, alert("remote error", "tls: ")},
	{"internal error in the handshake", overTLS12(func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errLost }
	}), usesUp(3), usesUp(3), [2]int{}, alert("remote error", "tls: internal error")},
	{"a bit of the response flips", flips(flip{reads: true, at: -1}),
		usesUp(3), maybeDone, [2]int{3, 1}, alert("local error", "tls: bad record MAC")},
	{"a bit of the request flips", flips(flip{at: -1}),
		usesUp(3), maybeDone, [2]int{}, func(err error) bool { // a body may still be written then
			return alert("remote error", "tls: bad record MAC")(err) || neterr.IsBroken(err)
		}},
	{"a bit of a record's length flips", flips(flip{reads: true, at: 3}),
		usesUp(3), maybeDone, [2]int{3, 1}, as[tls.RecordHeaderError]},
	{"the proxy wants credentials", refusedByProxy(407), permanent, permanent, [2]int{}, anyError},
	{"the proxy forbids it", refusedByProxy(403), permanent, permanent, [2]int{}, anyError},
	{"the proxy can't reach it", refusedByProxy(502), usesUp(3), usesUp(3), [2]int{}, anyError},
	{"no response in time", headerTimeout, usesUp(3), maybeDone, [2]int{}, isTimeout},
	{"unsupported scheme", unsendable("gopher://mem/"), permanent, permanent, [2]int{}, anyError},
	{"no host", unsendable("http:///path"), permanent, permanent, [2]int{}, anyError},
}

func anyError(err error) bool { return err != nil }

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestRealErrors(t *testing.T) {
	for _, e := range realErrors {
		for i, method := range []string{"GET", "POST"} {
			t.Run(e.name+"/"+method, func(t *testing.T) {
				hits := make(chan struct{}, 10)
				base, url := e.world(t, func() { hits <- struct{}{} })
				got, err := call(t, base, method, url, i == 1)
				assert.Equal(t, []ends{e.get, e.post}[i], got, "%v", err)
				assert.True(t, e.check(err), "%T: %v", err, err)
				assert.False(t, as[*insist.Error](err), "the base's own error is handed back")
				assert.GreaterOrEqual(t, len(hits), e.hits[i])
				assert.LessOrEqual(t, len(hits), got.attempts)
			})
		}
	}
}

// closedPort is an address where nobody listens: no program is given that port by
// chance, as it may be given one that was closed a moment ago.
const closedPort = "127.0.0.1:1"

func refused(t *testing.T, _ func()) (http.RoundTripper, string) {
	return &http.Transport{}, "http://" + closedPort
}

func proxyRefused(t *testing.T, _ func()) (http.RoundTripper, string) {
	proxy := "http://" + closedPort
	return &http.Transport{Proxy: func(r *http.Request) (*neturl.URL, error) { return r.URL.Parse(proxy) }}, "https://mem/"
}

func dialTimeout(*testing.T, func()) (http.RoundTripper, string) {
	return &http.Transport{DialContext: (&net.Dialer{Timeout: time.Nanosecond}).DialContext}, "http://127.0.0.1:1/"
}

func unsendable(url string) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(*testing.T, func()) (http.RoundTripper, string) { return &http.Transport{}, url }
}

// answers1 is a server that does something with the connection.
func answers1(do func(*http.Request)) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, hit func()) (http.RoundTripper, string) {
		s := servertest.HTTP1.Start(t, func(w http.ResponseWriter, r *http.Request) {
			hit()
			do(r)
		})
		return s.Base, s.URL
	}
}

// listens is a server below HTTP.
func listens(t *testing.T, serve func(net.Conn)) string {
	li, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { li.Close() })
	go func() {
		for {
			c, err := li.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return li.Addr().String()
}

func notHTTP(t *testing.T, hit func()) (http.RoundTripper, string) {
	return &http.Transport{}, "http://" + listens(t, func(c net.Conn) {
		hit()
		c.Read(make([]byte, 1))
		io.WriteString(c, "220 mem ESMTP\r\n")
		c.Read(make([]byte, 1000))
	})
}

func resetInHandshake(t *testing.T, hit func()) (http.RoundTripper, string) {
	return &http.Transport{}, "https://" + listens(t, func(c net.Conn) {
		hit()
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
}

func plainOnTLS(t *testing.T, _ func()) (http.RoundTripper, string) {
	s := servertest.HTTP1.Start(t, func(http.ResponseWriter, *http.Request) {})
	return s.Base, "https://" + s.Listener.Addr().String()
}

func overTLS(edit func(*tls.Config)) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, hit func()) (http.RoundTripper, string) {
		s := servertest.HTTP2.Start(t, func(http.ResponseWriter, *http.Request) { hit() }, func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
		})
		edit(s.Base.TLSClientConfig)
		return s.Base, s.URL
	}
}

// headerTimeout ends while the caller's context is alive.
func headerTimeout(t *testing.T, hit func()) (http.RoundTripper, string) {
	release := make(chan struct{})
	s := servertest.HTTP1.Start(t, func(http.ResponseWriter, *http.Request) {
		hit()
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the server is closed
	s.Base.ResponseHeaderTimeout = 5 * time.Millisecond
	return s.Base, s.URL
}

// nameServer answers every question with an error: 3 is NXDOMAIN, 2 SERVFAIL.
func nameServer(code byte) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, _ func()) (http.RoundTripper, string) {
		resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go answerDNS(server, code)
			return client, nil
		}}
		return &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}, "http://nowhere.test./"
	}
}

// answerDNS answers one question as over TCP (RFC 1035, section 4.2.2).
func answerDNS(c net.Conn, code byte) {
	defer c.Close()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	message := make([]byte, int(size[0])<<8|int(size[1]))
	if _, err := io.ReadFull(c, message); err != nil {
		return
	}
	end := 12 // of the header; the question goes back as it came
	for message[end] != 0 {
		end += 1 + int(message[end])
	}
	end += 5
	reply := append([]byte{byte(end >> 8), byte(end)}, message[:end]...)
	reply[4], reply[5] = 0x81, 0x80|code
	copy(reply[8:14], make([]byte, 6)) // no records
	c.Write(reply)
}
