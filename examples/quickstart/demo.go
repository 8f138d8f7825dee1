package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// timeLimit ends the demonstration if something hangs. Usually it takes about 2 seconds,
// most of which is the wait that the server requests.
const timeLimit = 10 * time.Second

// call is a call of the demonstration. It is made twice.
type call struct {
	request       string // method and path
	trouble       string
	body          func() io.Reader // if nil, none
	without, with string           // what should become of it
}

const videoSize = 5 << 20

var calls = []call{
	{"GET /report", "the server closes the connection without a response", nil,
		"connection lost", "200 OK, after 2 attempts"},
	{"GET /stock", "the server is busy for a second", nil,
		"503 Service Unavailable", "200 OK, after 2 attempts"},
	{"GET /job", `the response is a 200, but its body says "ret_code": 5000`, nil,
		`200 OK {"ret_code": 5000}`, `200 OK {"ret_code": 0}, after 2 attempts`},
	{"PUT /video", "5 MiB that can be read only once; the connection is reset in the middle", video,
		"connection lost", "200 OK 5242880 bytes arrived, after 2 attempts"},
	{"POST /order", "the connection is closed when the server has read the order", order,
		"connection lost", "connection lost, after 1 attempt"},
	{"GET /quota", "the server asks for a wait of an hour", nil,
		"429 Too Many Requests", "429 Too Many Requests, after 1 attempt"},
}

func order() io.Reader { return strings.NewReader(`{"item": "apple"}`) }

// video returns a body as of a program that streams: it is neither in memory nor in a file,
// and its length is unknown.
func video() io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{}), videoSize)
}

// demo makes all calls to a server on listener and returns the exit status.
func demo(ctx context.Context, listener net.Listener, base http.RoundTripper, stdout io.Writer) int {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	defer serve(listener)()
	fmt.Fprintln(stdout, "A server that misbehaves, and each call to it without and with insist:")
	return makeCalls(ctx, calls, "http://"+listener.Addr().String(), base, stdout)
}

// makeCalls returns 1 if one of the calls did not have the expected result.
func makeCalls(ctx context.Context, calls []call, server string, base http.RoundTripper, stdout io.Writer) (code int) {
	for _, c := range calls {
		p := &printer{out: stdout, base: base, indent: "  with insist     "}
		fmt.Fprintf(stdout, "\n%s: %s\n", c.request, c.trouble)
		without := c.send(ctx, &http.Client{Transport: base}, server+"/without")
		fmt.Fprintf(stdout, "  without insist  %s\n", without)
		ctx, record := insist.WithRecord(ctx)
		with := c.send(ctx, newClient(p), server+"/with") + ", after " + count(record)
		fmt.Fprintf(stdout, "                  result: %s\n", with)
		if without != c.without || with != c.with {
			fmt.Fprintf(stdout, "  THIS SHOULD BE  %s, and %s\n", c.without, c.with)
			code = 1
		}
	}
	return code
}

// send makes the call and returns its result.
func (c *call) send(ctx context.Context, client *http.Client, server string) string {
	var body io.Reader
	if c.body != nil {
		body = c.body()
	}
	method, path, _ := strings.Cut(c.request, " ")
	req, err := http.NewRequestWithContext(ctx, method, server+path, body)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return describe(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return describe(err)
	}
	return strings.TrimSpace(status(resp.StatusCode) + " " + string(text))
}
