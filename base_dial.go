//go:build !js

package insist

import (
	"context"
	"net"
	"time"
)

func dialContext() func(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{
		Timeout:         10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}).DialContext
}
