// Silence has a connection go silent, as it does when a NAT table forgets it, a laptop
// sleeps or a node is drained: nothing arrives on it any more, and nobody closes it. It
// prints what becomes of the same calls with the bare http.Client and with insist:
//
//	go run ./examples/silence
//
// It takes about 4.5 seconds, most of which the bare client waits. The exit status is 1 if
// a call with insist did not succeed.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "silence:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var all [3]network // the server's, and a proxy's for each client
	for i := range all {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		all[i] = loopback{l}
	}
	return demo(ctx, os.Stdout, all[0], all[1], all[2])
}
