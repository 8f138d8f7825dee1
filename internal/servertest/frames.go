package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// FrameServer is an HTTP/2 server that writes single frames, for behaviour that net/http's
// server doesn't have.
type FrameServer struct {
	// Play is called for each stream when its complete request has arrived. n counts
	// the streams of all connections from 1.
	Play func(c *FrameConn, stream uint32, n int)

	// Ping is called for each PING, after it was acknowledged.
	// If nil, no function is called.
	Ping func(c *FrameConn)

	mu      sync.Mutex
	streams int
}

// Count returns how many streams there were.
func (s *FrameServer) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Transport returns a transport whose connections s serves, without TLS. It knows that
// they speak HTTP/2.
func (s *FrameServer) Transport(li *insisttest.Listener) *http.Transport {
	go s.accept(li)
	t := &http.Transport{DialContext: li.Dial, Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// TLSTransport returns a transport whose connections s serves over TLS. They negotiate
// HTTP/2.
func (s *FrameServer) TLSTransport(t testing.TB, li *insisttest.Listener) *http.Transport {
	config := &tls.Config{Certificates: []tls.Certificate{newCertificate(t)}, NextProtos: []string{"h2"}}
	go s.accept(tls.NewListener(li, config))
	return &http.Transport{
		DialContext: li.Dial, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
}

func newCertificate(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
}

func (s *FrameServer) accept(li net.Listener) {
	for {
		c, err := li.Accept()
		if err != nil {
			return
		}
		go s.serve(&FrameConn{Conn: c})
	}
}

const (
	frameData      = 0
	frameHeaders   = 1
	frameReset     = 3
	frameSettings  = 4
	framePing      = 6
	frameGoAway    = 7
	flagEndStream  = 1
	flagAck        = 1
	flagEndHeaders = 4
)

// Error codes of RFC 9113, section 7.
const (
	CodeNone     = 0
	CodeProtocol = 1
	CodeInternal = 2
	CodeRefused  = 7
	CodeCancel   = 8
	CodeCalm     = 11
)

func (s *FrameServer) serve(c *FrameConn) {
	defer c.Close()
	preface := make([]byte, 24)
	if _, err := io.ReadFull(c, preface); err != nil {
		return
	}
	c.frame(frameSettings, 0, 0, nil)
	for {
		kind, flags, stream, payload, err := c.next()
		if err != nil {
			return
		}
		switch kind {
		case frameSettings, framePing:
			if flags&flagAck == 0 {
				if kind == frameSettings {
					payload = nil
				}
				c.frame(kind, flagAck, 0, payload)
				if kind == framePing && s.Ping != nil {
					s.Ping(c)
				}
			}
		case frameHeaders, frameData:
			if flags&flagEndStream != 0 {
				s.mu.Lock()
				s.streams++
				n := s.streams
				s.mu.Unlock()
				s.Play(c, stream, n)
			}
		}
	}
}

// FrameConn is a connection that is read and written in frames.
type FrameConn struct{ net.Conn }

func (c *FrameConn) next() (kind, flags byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return
	}
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1), payload, err
}

func (c *FrameConn) frame(kind, flags byte, stream uint32, payload []byte) {
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	head = binary.BigEndian.AppendUint32(head, stream)
	c.Write(append(head, payload...))
}

// OK responds 200, without a body.
func (c *FrameConn) OK(stream uint32) { c.Status(stream, Status200) }

// Status responds with Status200 or Status500, without a body.
func (c *FrameConn) Status(stream uint32, code byte) {
	c.frame(frameHeaders, flagEndStream|flagEndHeaders, stream, []byte{code})
}

// Statuses, by their index in HPACK's static table.
const (
	Status200 = 0x88
	Status500 = 0x8e
)

// Reset ends a stream with RST_STREAM.
func (c *FrameConn) Reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// GoAway sends a GOAWAY that names last as the last stream that was processed.
func (c *FrameConn) GoAway(last, code uint32) {
	payload := binary.BigEndian.AppendUint32(nil, last)
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(payload, code))
}
