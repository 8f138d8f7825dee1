package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
)

// timeLimit ends the demonstration where something hangs; it takes about 2
// seconds, most of which is the wait that the server asks for.
const timeLimit = 4500 * time.Millisecond

// demo sends three requests to a server that misbehaves.
func demo(ctx context.Context, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	address, stop, err := serve(misbehave())
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	defer stop()
	fmt.Fprintf(stdout, "A server that misbehaves on purpose, on %s.\n", address)
	if !sendAll(ctx, "http://"+address, stdout) {
		fmt.Fprintln(stdout, "\nSomething went wrong; see above.")
		return 1
	}
	fmt.Fprintln(stdout, "\nAll three calls succeeded, and the server got each body whole.")
	return 0
}

// call is one call of the demonstration.
type call struct {
	title    string
	method   string
	path     string
	header   http.Header
	body     io.Reader
	sum      func() string // SHA-256 of the body, once it has been sent
	attempts int           // as many as the server's script makes it take
}

// sendAll makes the three calls and reports whether all went as they should.
func sendAll(ctx context.Context, base string, stdout io.Writer) bool {
	const order = `{"item": "insist", "quantity": 1, "express": true}`
	upload, uploaded := produce(5 << 20)
	calls := []call{
		{"GET /report", "GET", "/report", nil,
			nil, func() string { return hash("") }, 2},
		{"POST /orders: JSON, with an Idempotency-Key", "POST", "/orders",
			http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"order-4711"}},
			strings.NewReader(order), func() string { return hash(order) }, 3},
		{"PUT /videos/7: 5 MiB streamed from a pipe, which has no GetBody", "PUT", "/videos/7", nil,
			upload, uploaded, 2},
	}
	t := &timeline{out: stdout}
	client := newClient(t)
	defer client.CloseIdleConnections()
	ok := true
	for _, c := range calls {
		ok = c.send(ctx, t, client, base) && ok
	}
	return ok
}

// send makes the call, prints its timeline, and reports whether it succeeded,
// took as many attempts as it should, and brought its body over whole.
func (c *call) send(ctx context.Context, t *timeline, client *http.Client, base string) bool {
	t.begin(c.title)
	ctx, record := insist.WithRecord(ctx)
	got, err := c.roundTrip(ctx, client, base)
	attempts, _ := tally(record)
	switch want := c.sum(); {
	case err != nil:
		t.end(record, "FAILED: "+describe(err))
	case got != want:
		t.end(record, "FAILED: the server got another body than was sent")
	case attempts != c.attempts:
		t.end(record, fmt.Sprintf("FAILED: should have taken %d attempts", c.attempts))
	case c.body == nil:
		t.end(record, "200 OK")
		return true
	default:
		t.end(record, "200 OK, body whole (SHA-256 "+got[:8]+"...)")
		return true
	}
	return false
}

// roundTrip returns the SHA-256 of what the server got.
func (c *call) roundTrip(ctx context.Context, client *http.Client, base string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, base+c.path, c.body)
	if err != nil {
		return "", err
	}
	for key, values := range c.header {
		req.Header[key] = values
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", status(resp.StatusCode))
	}
	return string(answer), err
}

// produce returns size bytes as a program makes them that has no file and no
// buffer of them: they come through a pipe, only once, and their length is not
// known beforehand. sum is for when the pipe has been closed.
func produce(size int64) (body io.Reader, sum func() string) {
	r, w := io.Pipe()
	digest, done := sha256.New(), make(chan struct{})
	go func() {
		defer close(done)
		source := io.LimitReader(rand.NewChaCha8([32]byte{}), size)
		_, err := io.Copy(io.MultiWriter(digest, w), source)
		w.CloseWithError(err)
	}()
	return r, func() string {
		r.Close() // also where the call failed before it was read to its end
		<-done
		return fmt.Sprintf("%x", digest.Sum(nil))
	}
}

func hash(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
