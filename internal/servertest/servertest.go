// Package servertest has what tests of this module share that need a server: a
// network in memory whose connections can be cut at any byte, net/http's own
// server and transport on it, and a ledger that knows which requests the server
// has taken for whole. It is for this project's own tests, and doesn't import
// insist.
package servertest

import (
	"io"
	"log"
	"net/http"
)

// Protocol is a version of HTTP.
type Protocol int

const (
	HTTP1 Protocol = iota
	HTTP2          // without TLS
)

func (p Protocol) String() string { return [...]string{"HTTP/1.1", "HTTP/2"}[p] }

func (p Protocol) protocols() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(p == HTTP1)
	protocols.SetUnencryptedHTTP2(p == HTTP2)
	return protocols
}

// Server is net/http's server on a Network of its own.
type Server struct {
	*Network
	protocol Protocol
	server   *http.Server
}

// NewServer starts a server.
func NewServer(p Protocol, h http.Handler) *Server {
	s := &Server{Network: NewNetwork(), protocol: p}
	s.server = &http.Server{
		Handler:   h,
		Protocols: p.protocols(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go s.server.Serve(s.Network)
	return s
}

// Transport returns a new transport that dials the server. It keeps connections,
// and does not ask for compression. window is how much of a response HTTP/2 sends
// before the client has read it, in bytes; a small one makes many frames of a small
// body, and a server that waits. Zero means net/http's own.
func (s *Server) Transport(window int) *http.Transport {
	return &http.Transport{
		DialContext:        s.DialContext,
		Protocols:          s.protocol.protocols(),
		HTTP2:              &http.HTTP2Config{MaxReceiveBufferPerStream: window},
		DisableCompression: true,
		ReadBufferSize:     512, // as much as small messages need
		WriteBufferSize:    512,
	}
}

// Close ends the server and all connections.
func (s *Server) Close() error {
	s.Clear()
	return s.server.Close()
}
