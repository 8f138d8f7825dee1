package servertest

import (
	"io"
	"log"
	"net/http"
)

func (p Proto) protocols() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(p == HTTP1)
	protocols.SetUnencryptedHTTP2(p == H2C)
	return protocols
}

// NetworkServer is net/http's server on a Network of its own.
type NetworkServer struct {
	*Network
	protocol Proto
	server   *http.Server
}

// StartOnNetwork starts a server that speaks p, HTTP1 or H2C.
func (p Proto) StartOnNetwork(h http.Handler) *NetworkServer {
	s := &NetworkServer{Network: NewNetwork(), protocol: p}
	s.server = &http.Server{
		Handler:   h,
		Protocols: p.protocols(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go s.server.Serve(s.Network)
	return s
}

// Transport returns a new transport that dials the server. It reuses connections, and does
// not request compression. window is how many bytes of a response HTTP/2 sends before the
// client has read them. If it is small, even a small body is sent in many frames, and the
// server has to wait. Zero means net/http's default.
func (s *NetworkServer) Transport(window int) *http.Transport {
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
func (s *NetworkServer) Close() error {
	s.Clear()
	return s.server.Close()
}
