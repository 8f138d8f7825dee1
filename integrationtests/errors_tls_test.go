package integrationtests

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// alert reports whether an error is a TLS alert, by its sender and its text.
func alert(op, text string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*net.OpError](err)
		return ok && e.Op == op && strings.HasPrefix(e.Err.Error(), text)
	}
}

// overTLS12 is a server of HTTP/1.1 over TLS 1.2, in which the client's handshake ends
// after the server's, and nothing but HTTP is application data.
func overTLS12(edit func(*tls.Config)) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, hit func()) (http.RoundTripper, string) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			hit()
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
		edit(s.TLS)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Client().Transport, s.URL
	}
}

// flips is a server to which a network flips a bit of each record of application data.
func flips(f flip) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, hit func()) (http.RoundTripper, string) {
		rt, url := overTLS12(func(*tls.Config) {})(t, hit)
		base := rt.(*http.Transport)
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			f := f
			return &flippingConn{Conn: c, flip: &f}, err
		}
		return base, url
	}
}

// flip says which bit.
type flip struct {
	reads bool // of what the client reads; else of what it writes
	at    int  // the byte of the record; negative: from its end
	skip  int  // so many records are left as they are
}

type flippingConn struct {
	net.Conn
	*flip
	record []byte // that is being read
}

func (c *flippingConn) Read(p []byte) (int, error) {
	if len(c.record) == 0 {
		header := make([]byte, 5)
		if _, err := io.ReadFull(c.Conn, header); err != nil {
			return 0, err
		}
		c.record = append(header, make([]byte, binary.BigEndian.Uint16(header[3:]))...)
		if _, err := io.ReadFull(c.Conn, c.record[5:]); err != nil {
			return 0, err
		}
		if c.reads {
			c.flip.in(c.record)
		}
	}
	n := copy(p, c.record)
	c.record = c.record[n:]
	return n, nil
}

func (c *flippingConn) Write(p []byte) (int, error) {
	sent := append([]byte(nil), p...)
	for rest := sent; !c.reads && len(rest) > 0; { // crypto/tls writes whole records
		n := 5 + int(binary.BigEndian.Uint16(rest[3:]))
		c.flip.in(rest[:n])
		rest = rest[n:]
	}
	return c.Conn.Write(sent)
}

func (f *flip) in(record []byte) {
	const applicationData = 23
	if record[0] != applicationData {
		return
	}
	if f.skip--; f.skip < 0 {
		record[(f.at+len(record))%len(record)] ^= 0x80
	}
}

// refusedByProxy is a proxy that answers CONNECT with a status.
func refusedByProxy(status int) func(*testing.T, func()) (http.RoundTripper, string) {
	return func(t *testing.T, _ func()) (http.RoundTripper, string) {
		s := servertest.HTTP1.Start(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		return &http.Transport{Proxy: func(*http.Request) (*neturl.URL, error) { return neturl.Parse(s.URL) }}, "https://mem/"
	}
}

func TestClassOfAProxysRefusal(t *testing.T) {
	for _, status := range []int{407, 403, 502} {
		base, url := refusedByProxy(status)(t, nil)
		rt := &insist.RetryTransport{Base: base, Policy: eager}
		ctx, record := insist.WithRecord(t.Context())
		_, err := rt.RoundTrip(request(t, "GET", url, nil).WithContext(ctx))
		require.EqualError(t, err, http.StatusText(status))
		assert.Equal(t, "proxy_refused", record.Calls()[0][0].Class())

		ctx, record = insist.WithRecord(t.Context())
		client := &http.Client{Transport: base}
		insist.Run(ctx, insist.Policy{MaxAttempts: 1}, func(context.Context) error {
			_, err := client.Get(url)
			return err
		})
		assert.Equal(t, "proxy_refused", record.Calls()[0][0].Class(), "of a function")
	}
}

// A download in which a bit flips is resumed.
func TestABitOfADownloadFlips(t *testing.T) {
	content := strings.Repeat("0123456789", 100_000)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	base := s.Client().Transport.(*http.Transport)
	first := true
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if !first || err != nil {
			return c, err
		}
		first = false
		return &flippingConn{Conn: c, flip: &flip{reads: true, at: -1, skip: 10}}, err
	}
	rt := &insist.RetryTransport{Base: base, Policy: insist.Policy{ResumeDownloads: true, Backoff: insist.Constant(0)}}
	ctx, record := insist.WithRecord(t.Context())
	resp, err := rt.RoundTrip(request(t, "GET", s.URL, nil).WithContext(ctx))
	require.NoError(t, err)
	assert.Equal(t, content, text(t, resp))
	resp.Body.Close()
	attempts := record.Calls()[0]
	require.Len(t, attempts, 2)
	assert.Equal(t, "tls", attempts[0].Class())
}
