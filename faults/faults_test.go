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
	defer server.Close()
	before := takeStock()
	ways, stop := startAll(t, server.Listener.Addr().String())
	defer stop()
	var connections atomic.Int64
	base := &http.Transport{MaxIdleConnsPerHost: 16, DialContext: counted(&connections)}
	makeCalls(t, &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: policy()}}, s, ways)

	base.CloseIdleConnections()
	settles(t, "connections", func() int { return int(connections.Load()) })
	settles(t, "goroutines of insist", ourGoroutines)
	stop() // with it go the connections that proxies keep to the server
	server.CloseClientConnections()
	s.forget()
	before.compare(t)
}

// ourGoroutines counts the frames of insist, and of its internal packages, on all
// stacks.
func ourGoroutines() int {
	all := stacks()
	return strings.Count(all, "/insist.") + strings.Count(all, "/insist/internal/")
}

func policy() insist.Policy {
	p := insist.Standard()
	p.Budget, p.MaxAttempts = nil, 5
	p.Backoff = insist.Exponential(time.Millisecond, 20*time.Millisecond)
	p.PerAttemptTimeout = 3 * time.Second
	p.RetryableBody = insist.JSONFieldNot("/ret_code", 0)
	p.MaxPeekBytes, p.MaxPeekTime = 256<<10, time.Minute // so that a condition always has its answer
	return p
}

// makeCalls makes all requests, each by one of the ways to the server.
func makeCalls(t *testing.T, client *http.Client, s *service, ways []string) {
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
	if err != nil {
		assert.True(t, explains(attempts[len(attempts)-1], err), "not explained by its record: %s", name)
		return false
	}
	assert.True(t, got == e.want, "%s: got %d bytes", name, len(got))
	if e.method != "GET" {
		assert.Positive(t, times, "a response to what was not done: %s", name)
	}
	return true
}

// explains reports whether a call's last attempt says why it ended in err.
func explains(last insist.Attempt, err error) bool {
	gaveUp := last.Reason == insist.ReasonAttempts || last.Reason == insist.ReasonMaybeDone
	switch {
	case last.Retry:
		return false
	case errors.Is(err, errBody): // that of a response which was handed over
		return last.Err == nil && (gaveUp || last.Reason == insist.ReasonSuccess || last.Reason == insist.ReasonAccepted)
	case errors.Is(err, errStatus):
		return last.Err == nil && gaveUp
	}
	return last.Err != nil && errors.Is(err, last.Err) && gaveUp
}

var (
	errStatus = errors.New("status")
	errBody   = errors.New("body")
)

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
		return "", fmt.Errorf("%w: %w", errBody, err)
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
