package neterr

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/assert"
)

// tlsConn is a connection of which only what TLS agreed on counts.
type tlsConn struct {
	net.Conn
	protocol, server string
}

func (c *tlsConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: c.protocol, ServerName: c.server}
}

// foreignConn can't be compared.
type foreignConn struct {
	net.Conn
	_ []byte
}

func TestRepeatGuard(t *testing.T) {
	one, other := &tlsConn{protocol: "h2", server: "a"}, &tlsConn{protocol: "h2", server: "a"}
	elsewhere := &tlsConn{protocol: "h2", server: "b"}
	http1, kept := &tlsConn{protocol: "http/1.1", server: "a"}, &tlsConn{server: "a"}
	plain, plainToo := &struct{ net.Conn }{}, &struct {
		net.Conn
		int
	}{}
	type hook any // a connection that was got, or what is written
	const wrote, response = "wrote", "response"
	for _, c := range []struct {
		name  string
		h2c   bool
		hooks []hook
		ends  bool
	}{
		{"one try", false, []hook{one, wrote, response}, false},
		{"refused, on the same connection", false, []hook{one, wrote, one, wrote}, false},
		{"on another one", false, []hook{one, wrote, other}, true},
		{"on another one, not written yet", false, []hook{one, other, wrote}, false},
		{"on another one, third", false, []hook{one, wrote, one, wrote, other}, true},
		{"answered before", false, []hook{one, wrote, response, other, wrote}, false},
		{"another server's", false, []hook{one, wrote, elsewhere, wrote}, false},
		{"HTTP/1", false, []hook{kept, wrote, http1, wrote}, false},
		{"HTTP/1 without TLS", false, []hook{plain, wrote, plainToo}, false},
		{"HTTP/2 without TLS", true, []hook{plain, wrote, plainToo}, true},
		{"a foreign type", true, []hook{foreignConn{}, wrote, foreignConn{}}, true},
	} {
		before, ended := 0, 0
		trace := &httptrace.ClientTrace{
			GotConn:              func(httptrace.GotConnInfo) { before++ },
			WroteHeaders:         func() { before++ },
			GotFirstResponseByte: func() { before++ },
		}
		g := NewRepeatGuard(func() { ended++ }, c.h2c)
		g.Hook(trace)
		for _, h := range c.hooks {
			switch h {
			case wrote:
				trace.WroteHeaders()
			case response:
				trace.GotFirstResponseByte()
			default:
				trace.GotConn(httptrace.GotConnInfo{Conn: h.(net.Conn)})
			}
		}
		assert.Equal(t, c.ends, ended == 1, c.name)
		assert.Equal(t, c.ends, g.Stopped(), c.name)
		assert.Equal(t, len(c.hooks), before, "%s: hooks that were set before", c.name)
	}
	assert.False(t, (*RepeatGuard)(nil).Stopped())
}

func TestSpeaksH2C(t *testing.T) {
	both, h2c := new(http.Protocols), new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	h2c.SetUnencryptedHTTP2(true)
	assert.True(t, SpeaksH2C(&http.Transport{Protocols: h2c}))
	assert.False(t, SpeaksH2C(&http.Transport{Protocols: both}), "it speaks HTTP/1 then")
	assert.False(t, SpeaksH2C(&http.Transport{}))
	assert.False(t, SpeaksH2C(nil))
}
