package sdks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"
	vault "github.com/hashicorp/vault/api"
	"github.com/seed-552c89fc/insist/insisttest"
	gitlab "gitlab.com/gitlab-org/api/client-go"
)

// scenario is what the server does, and what an SDK is asked for at the same time.
type scenario struct {
	name     string
	steps    []insisttest.Step
	call     func(sdk, context.Context) error
	deadline time.Duration
	attempt  time.Duration // a time limit of each attempt
	dead     bool          // the connection is HTTP/2's, and dead from the second call on
}

func get(s sdk, ctx context.Context) error    { return s.get(ctx) }
func create(s sdk, ctx context.Context) error { return s.create(ctx) }

func upload(s sdk, ctx context.Context) error {
	read.Store(0)
	return s.upload(ctx, counting{bytes.NewReader(content())})
}

// uploadLong uploads more than compat/retryablehttp reads into memory.
func uploadLong(s sdk, ctx context.Context) error {
	read.Store(0)
	return s.upload(ctx, counting{bytes.NewReader(make([]byte, 64<<20))})
}

var content = sync.OnceValue(func() []byte {
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
})

// counting is a reader and nothing more. It counts what is read in read.
type counting struct{ io.Reader }

var read atomic.Int64

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	read.Add(int64(n))
	return n, err
}

var (
	ok   = insisttest.JSON(200, `{"version": "1", "data": {"a": "b"}, "droplet": {"id": 1}}`)
	made = insisttest.JSON(201, `{"id": 1, "auth": {"client_token": "b"}, "droplet": {"id": 1}}`)
)

// cutShort reads a part of the body, and resets the connection.
func cutShort(req *http.Request) (*http.Response, error) {
	io.CopyN(io.Discard, req.Body, 1<<20)
	return nil, errors.New("reset")
}

// early answers 200 if the body is still being read when the request arrives.
func early(req *http.Request) (*http.Response, error) {
	if read.Load() >= 60<<20 {
		return insisttest.Status(413)(req) // the client has had all of it in memory
	}
	return ok(req)
}

// whole answers 200 if the body is all there.
func whole(req *http.Request) (*http.Response, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, req.Body); err != nil {
		return nil, err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != sha256.Sum256(content()) {
		return insisttest.Status(400)(req)
	}
	return ok(req)
}

var scenarios = []scenario{
	{name: "a read, 503 once", steps: []insisttest.Step{insisttest.Status(503), ok}, call: get},
	{name: "a read, its response lost", steps: []insisttest.Step{insisttest.Lost(), ok}, call: get},
	{name: "a read, 429 for 7 s", steps: []insisttest.Step{insisttest.Status(429, "Retry-After", "7"), ok}, call: get},
	{name: "a read, 429 for an hour, deadline 10 s", steps: []insisttest.Step{insisttest.Status(429, "Retry-After", "3600")}, call: get, deadline: 10 * time.Second},
	{name: "a read, 429 for 10000000000 s", steps: []insisttest.Step{insisttest.Status(429, "Retry-After", "10000000000")}, call: get},
	{name: "a read, no response for 10 s, once", steps: []insisttest.Step{insisttest.After(time.Hour, ok), ok}, call: get, attempt: 10 * time.Second},
	{name: "a read, the HTTP/2 connection dead", steps: []insisttest.Step{ok}, call: get, attempt: 10 * time.Second, dead: true},
	{name: "a POST, 500", steps: []insisttest.Step{insisttest.Status(500), made}, call: create},
	{name: "a POST, its response lost", steps: []insisttest.Step{insisttest.Lost(), made}, call: create},
	{name: "a POST, 503 with Retry-After", steps: []insisttest.Step{insisttest.Status(503, "Retry-After", "2"), made}, call: create},
	{name: "an upload of 8 MiB, reset in the middle", steps: []insisttest.Step{cutShort, whole}, call: upload},
	{name: "an upload of 8 MiB, 503 once", steps: []insisttest.Step{insisttest.Status(503), whole}, call: upload},
	{name: "an upload of 64 MiB, 413 if it is in memory first", steps: []insisttest.Step{early}, call: uploadLong},
}

// play runs a scenario with one SDK, and tells what came of it in a few words. It
// is empty if the SDK has nothing for it.
func (sc scenario) play(t *testing.T, name string) (result string) {
	t.Run(name+", "+sc.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			network := insisttest.NewListener()
			script := insisttest.NewScript(sc.steps...)
			server := &http.Server{Handler: script}
			conns := connections{dial: network.Dial}
			var transport *http.Transport
			client, err := sdks[name](func(tr *http.Transport) {
				transport = tr
				tr.DialContext, tr.Proxy = conns.Dial, nil
				if tr.DisableKeepAlives = !sc.dead; sc.dead {
					tr.Protocols, server.Protocols = new(http.Protocols), new(http.Protocols)
					tr.Protocols.SetUnencryptedHTTP2(true)
					server.Protocols.SetUnencryptedHTTP2(true)
				}
			}, sc.attempt)
			if err != nil {
				t.Fatal(err)
			}
			if client.upload == nil {
				client.upload = func(context.Context, io.Reader) error { return errNothing }
			}
			go server.Serve(network)
			defer server.Close()
			defer transport.CloseIdleConnections()

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if sc.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, sc.deadline)
				defer cancel()
			}
			if sc.dead {
				if err := sc.call(client, ctx); err != nil {
					t.Fatal(err)
				}
				conns.last.dead.Store(true)
			}
			before, start := len(script.Arrivals()), time.Now()
			err = sc.call(client, ctx)
			result = fmt.Sprintf("%s after %v, requests: %d", outcome(err), time.Since(start).Round(time.Second/10), len(script.Arrivals())-before)
			if err == errNothing {
				result = ""
			}
			if sc.dead {
				conns.close() // the server never heard of it
			}
		})
	})
	return result
}

var errNothing = errors.New("the SDK has nothing for it")

// outcome says in a word how a call ended.
func outcome(err error) string {
	var (
		fromGitLab *gitlab.ErrorResponse
		fromVault  *vault.ResponseError
		fromGodo   *godo.ErrorResponse
		timeout    net.Error
	)
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &fromGitLab):
		return fmt.Sprint("error ", fromGitLab.Response.StatusCode)
	case errors.As(err, &fromVault):
		return fmt.Sprint("error ", fromVault.StatusCode)
	case errors.As(err, &fromGodo):
		return fmt.Sprint("error ", fromGodo.Response.StatusCode)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "error"
}

// connections makes connections that can die: what is written to them vanishes,
// and nothing comes.
type connections struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	all  []*conn
	last *conn
}

type conn struct {
	net.Conn
	dead atomic.Bool
}

func (c *connections) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	inner, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.last = &conn{Conn: inner}
	c.all = append(c.all, c.last)
	return c.last, nil
}

func (c *connections) close() {
	for _, conn := range c.all {
		conn.Close()
	}
}

func (c *conn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}
