package insist_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/seed-552c89fc/insist/insisttest"
)

// frameServer is an HTTP/2 server in frames, for what net/http's server does not
// do. Its clients know that it speaks HTTP/2 and use no TLS.
type frameServer struct {
	// play is told of each stream when all of its request has come. n counts
	// the streams of all connections from 1.
	play func(c *frameConn, stream uint32, n int)

	mu      sync.Mutex
	streams int
}

func (s *frameServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// transport returns a transport whose connections s serves.
func (s *frameServer) transport(li *insisttest.Listener) *http.Transport {
	go func() {
		for {
			c, err := li.Accept()
			if err != nil {
				return
			}
			go s.serve(&frameConn{Conn: c})
		}
	}()
	t := &http.Transport{DialContext: li.Dial, Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
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

	codeNone     = 0
	codeProtocol = 1
	codeInternal = 2
	codeRefused  = 7
	codeCancel   = 8
	codeCalm     = 11
)

func (s *frameServer) serve(c *frameConn) {
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
			}
		case frameHeaders, frameData:
			if flags&flagEndStream != 0 {
				s.mu.Lock()
				s.streams++
				n := s.streams
				s.mu.Unlock()
				s.play(c, stream, n)
			}
		}
	}
}

// frameConn is a connection that is read and written in frames.
type frameConn struct{ net.Conn }

func (c *frameConn) next() (kind, flags byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return
	}
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1), payload, err
}

func (c *frameConn) frame(kind, flags byte, stream uint32, payload []byte) {
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	head = binary.BigEndian.AppendUint32(head, stream)
	c.Write(append(head, payload...))
}

// ok answers 200, without a body.
func (c *frameConn) ok(stream uint32) { c.status(stream, status200) }

func (c *frameConn) status(stream uint32, code byte) {
	c.frame(frameHeaders, flagEndStream|flagEndHeaders, stream, []byte{code})
}

// Statuses, by their place in HPACK's static table.
const (
	status200 = 0x88
	status500 = 0x8e
)

func (c *frameConn) reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// goAway says that last was the last stream that was looked at.
func (c *frameConn) goAway(last, code uint32) {
	payload := binary.BigEndian.AppendUint32(nil, last)
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(payload, code))
}
