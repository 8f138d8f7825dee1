// Proxy is a reverse proxy that retries, for programs in any language. They send their
// requests to it unchanged, and it forwards them to one upstream. If the upstream fails,
// and another attempt can do no harm, it retries the request:
//
//	go run ./examples/proxy -listen 127.0.0.1:8080 -upstream https://api.example.com
//
// While the proxy waits, so does its client: for up to 30 seconds if the upstream requests
// that by Retry-After. See newProxy for what is forwarded.
//
// Without flags it starts an upstream that misbehaves and a proxy in front of it,
// makes three requests, and prints what happened:
//
//	go run ./examples/proxy
//
// The exit status is 1 if it could not listen, or, without flags, if a result was not the
// expected one. It is 2 if the flags were wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/seed-552c89fc/insist"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "", "the `address` to serve on")
	upstream := flags.String("upstream", "", "the `URL` to send the requests on to")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "proxy: unexpected argument %q\n", flags.Arg(0))
		return 2
	case *listen == "" && *upstream == "":
		return demo(ctx, stdout, stderr)
	}
	target, err := url.Parse(*upstream)
	if err != nil || target.Host == "" || *listen == "" {
		fmt.Fprintln(stderr, "proxy: needs both -listen ADDRESS and -upstream URL")
		return 2
	}
	policy := insist.Standard()
	policy.OnAttempt = tell(stdout)
	address, stop, err := serve(*listen, newProxy(target, policy))
	if err != nil {
		fmt.Fprintln(stderr, "proxy:", err)
		return 1
	}
	fmt.Fprintf(stdout, "Listening on %s.\n", address)
	<-ctx.Done()
	stop()
	return 0
}

// serve starts a server. stop waits a limited time for the requests in flight.
func serve(listen string, handler http.Handler) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l)
	}()
	return l.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-served
	}, nil
}

// tell returns a hook that prints an attempt if another one follows it.
func tell(out io.Writer) func(context.Context, insist.Attempt) {
	return func(_ context.Context, a insist.Attempt) {
		if !a.Retry {
			return
		}
		what := fmt.Sprint("status ", a.Status)
		if a.Err != nil {
			what = "no response"
		}
		fmt.Fprintf(out, "  attempt %d: %s; again in %v\n", a.Number, what, a.Wait.Round(time.Millisecond))
	}
}
