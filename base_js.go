package insist

import (
	"context"
	"net"
)

// dialContext returns nil: a transport that has a function to dial by does not use
// fetch, and a browser has no sockets.
func dialContext() func(ctx context.Context, network, addr string) (net.Conn, error) { return nil }
