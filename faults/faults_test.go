package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist"
)

var (
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the faults")
	calls = flag.Int("calls", 10_000, "how many requests are made")
)

// TestMixedFaults makes ten thousand mixed requests from 64 goroutines, through
// proxies that break connections to a server that fails as well. No body may be
// wrong, nothing that must be done once done twice, nothing left over, and each
// failure must be explained by its record.
func TestMixedFaults(t *testing.T) {
	t.Logf("-seed %d", *seed)
	s := newService()
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	ways, stop := startAll(t, server.Listener.Addr().String())
	var connections atomic.Int64
	base := &http.Transport{MaxIdleConnsPerHost: 16, DialContext: counted(&connections)}
	policy := insist.Standard()
	policy.Budget, policy.MaxAttempts = nil, 5
	policy.Backoff = insist.Exponential(time.Millisecond, 20*time.Millisecond)
	policy.PerAttemptTimeout = 3 * time.Second
	policy.RetryableBody = insist.JSONFieldNot("/ret_code", 0)
	policy.MaxPeekBytes = 256 << 10
	client := &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: policy}}

	var wg sync.WaitGroup
	var next, failed atomic.Int64
	for g := range 64 {
		random := rand.New(rand.NewPCG(*seed, uint64(g)))
		wg.Go(func() {
			for id := next.Add(1); id <= int64(*calls); id = next.Add(1) {
				r := randomRequest(random, strconv.FormatInt(id, 10), ways[random.IntN(len(ways))])
				if !r.send(t, client, s) {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d calls failed, all with an error", failed.Load(), *calls)
	assert.Less(t, failed.Load(), int64(*calls)/4, "retrying hardly helps")

	base.CloseIdleConnections()
	settles(t, "connections", func() int { return int(connections.Load()) })
	settles(t, "goroutines", func() int { return strings.Count(stacks(), "insist.(") })
	stop()
	server.CloseClientConnections()
}

// counted dials, and counts the connections that are open.
func counted(open *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &countedConn{Conn: c, closed: sync.OnceFunc(func() { open.Add(-1) })}, nil
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// exchange is one request and what is to come of it.
type exchange struct {
	id, url, method, faults string
	body, want              string
	getBody                 bool
	once                    bool // must not be carried out twice
}

var serverFaults = []string{"", "", "", "503", "429", "503 503", "abort", "503 abort", "lost", "code", "code 503"}

func randomRequest(r *rand.Rand, id, way string) *exchange {
	size := strconv.Itoa([]int{0, 1, 500, 5000, 60_000, 200_000}[r.IntN(6)])
	e := &exchange{id: id, faults: serverFaults[r.IntN(len(serverFaults))], method: "GET", getBody: r.IntN(2) == 0}
	kind := []string{"json", "download", "upload", "upload"}[r.IntN(4)]
	e.url = "http://" + way + "/" + kind + "/" + size
	switch {
	case kind != "upload":
		e.want = text(size)
		return e
	case r.IntN(2) == 0:
		e.method = "PUT"
	default:
		e.method, e.once = "POST", true
	}
	e.body = text(size)
	e.want = sum(e.body)
	return e
}

// send makes the request, checks all that can be checked, and reports whether it
// succeeded.
func (e *exchange) send(t *testing.T, client *http.Client, s *service) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, record := insist.WithRecord(ctx)
	got, err := e.roundTrip(ctx, client)
	name := fmt.Sprintf("%s %s, faults %q: %v %v", e.method, e.url, e.faults, err, record.Calls())
	times := s.carriedOut(e.id)
	if e.once {
		assert.LessOrEqual(t, times, 1, "carried out twice: %s", name)
	}
	attempts := record.Calls()[0]
	last := attempts[len(attempts)-1]
	if err != nil {
		assert.False(t, last.Retry, name)
		assert.NotEmpty(t, last.Reason, name)
		return false
	}
	assert.True(t, got == e.want, "%s: got %d bytes", name, len(got))
	if e.method != "GET" {
		assert.Positive(t, times, "an answer to what was not done: %s", name)
	}
	return true
}

var errStatus = errors.New("status")

func (e *exchange) roundTrip(ctx context.Context, client *http.Client) (string, error) {
	var body io.Reader
	if e.method != "GET" {
		body = struct{ io.Reader }{strings.NewReader(e.body)} // to be read once
	}
	req, err := http.NewRequestWithContext(ctx, e.method, e.url, body)
	if err != nil {
		return "", err
	}
	if body != nil && e.getBody {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewBufferString(e.body)), nil }
	}
	req.Header.Set("Id", e.id)
	req.Header.Set("Faults", e.faults)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w %d", errStatus, resp.StatusCode)
	}
	if strings.Contains(e.url, "/download/") {
		return string(data), nil
	}
	var answer struct {
		Code      int `json:"ret_code"`
		Data, Sum string
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Code != 0 {
		return "", fmt.Errorf("%w: code %d: %w", errStatus, answer.Code, err)
	}
	return answer.Data + answer.Sum, nil
}

// settles waits until nothing is left over.
func settles(t *testing.T, what string, left func() int) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return left() == 0 }, 20*time.Second, 20*time.Millisecond, "%s are left", what) {
		t.Logf("%d %s left:\n%s", left(), what, stacks())
	}
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
