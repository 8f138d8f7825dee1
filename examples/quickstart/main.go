// Quickstart makes the same calls without and with insist, to a server that misbehaves,
// and prints their results. With -url it sends one request to any server:
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -url https://api.example.com/v1/items
//	go run ./examples/quickstart -url https://api.example.com/v1/items -method PUT -data item.json
//
// Copy client.go for your own program. The exit status is 1 if a call ended with an error
// or with a status of 400 or more, or, without -url, if a result was not the expected one.
// It is 2 if the flags were wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var s single
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.url, "url", "", "send one request to `URL` instead of the demonstration")
	flags.StringVar(&s.method, "method", "", "the request's `method` (default GET, with -data POST)")
	flags.StringVar(&s.data, "data", "", "send the contents of `file`, or of standard input if it is -")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "quickstart: unexpected argument %q\n", flags.Arg(0))
		return 2
	case s.url == "" && (s.method != "" || s.data != ""):
		fmt.Fprintln(stderr, "quickstart: -method and -data need -url")
		return 2
	case s.url != "":
		return s.send(ctx, stdin, stdout, stderr)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return demo(ctx, listener, newTransport(), stdout)
}

// newTransport returns net/http's transport without reuse of connections: on a reused
// connection it may resend a GET by itself, without showing it.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true
	return t
}
