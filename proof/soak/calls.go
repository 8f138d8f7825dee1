package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/seed-552c89fc/insist"
)

// kinds are what calls are made.
var kinds = []string{"get", "hedged", "put", "post", "file", "download", "events"}

const (
	workers  = 16
	fileSize = 120_000
)

// caller makes calls, and notes what came of each in a file.
type caller struct {
	dir     string
	ways    []way
	clients map[string]map[string]*http.Client // by protocol and kind
	closers []func()
	seed    uint64
	next    atomic.Int64

	mu     sync.Mutex // of what follows
	ledger *bufio.Writer
	file   *os.File
	tally  map[string]*tally // by protocol
	kinds  map[string]*tally // by kind
	wrong  []string
}

// tally counts calls.
type tally struct{ calls, good, canceled, attempts int }

func newCaller(dir string, f *field, seed uint64) (*caller, error) {
	file, err := os.Create(filepath.Join(dir, "seen"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "upload"), text(fileSize), 0o666); err != nil {
		return nil, err
	}
	cert, _ := certificateFiles(dir)
	pem, err := os.ReadFile(cert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := &caller{
		dir: dir, ways: f.ways, seed: seed, file: file, ledger: bufio.NewWriter(file),
		tally: map[string]*tally{}, kinds: map[string]*tally{}, clients: map[string]map[string]*http.Client{},
	}
	for _, proto := range protocols {
		c.tally[proto] = new(tally)
		base, closeIdle := newBase(proto, roots)
		c.closers = append(c.closers, closeIdle)
		c.clients[proto] = map[string]*http.Client{}
		hedge := new(insist.Hedge)
		for _, kind := range kinds {
			policy := policyOf(kind)
			if kind == "hedged" || kind == "put" || kind == "file" {
				policy.Hedge = hedge
			}
			c.clients[proto][kind] = &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: policy}}
		}
	}
	for _, kind := range kinds {
		c.kinds[kind] = new(tally)
	}
	return c, nil
}

// idleTime is how long a connection is kept. It is short, so that a short run, too, soon has
// as many as it will have.
const idleTime = 4 * time.Second

var protocols = []string{"HTTP/1.1", "HTTP/2", "HTTP/3"}

func newBase(proto string, roots *x509.CertPool) (http.RoundTripper, func()) {
	if proto == "HTTP/3" {
		// quic-go uses the connection of a request that failed no more, but leaves it open.
		t := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, QUICConfig: &quic.Config{MaxIdleTimeout: idleTime}}
		return t, func() { t.Close() }
	}
	t := insist.DefaultBase()
	t.Proxy, t.IdleConnTimeout = nil, idleTime
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	return t, t.CloseIdleConnections
}

func policyOf(kind string) insist.Policy {
	p := insist.Standard()
	p.Budget, p.MaxAttempts = nil, 8
	p.Backoff = insist.Exponential(20*time.Millisecond, 500*time.Millisecond)
	p.PerAttemptTimeout, p.BodyIdleTimeout = 3*time.Second, 3*time.Second
	p.MaxPeekBytes, p.MaxPeekTime = 256<<10, 2*time.Second
	switch kind {
	case "download":
		p.ResumeDownloads = true
	case "events":
		p.RetryableEvent = insist.JSONField[any]("/error", nil)
	default:
		p.RetryableBody = insist.JSONFieldNot("/ret_code", 0)
	}
	return p
}

// run makes calls until the context ends.
func (c *caller) run(ctx context.Context) {
	var all sync.WaitGroup
	for g := range workers {
		random := rand.New(rand.NewPCG(c.seed, uint64(g)))
		all.Go(func() {
			pause := time.NewTimer(0)
			defer pause.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pause.C:
				}
				c.call(random)
				pause.Reset(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
			}
		})
	}
	all.Wait()
}

// call is one call, and what is to come of it.
type call struct {
	way
	kind, id string
	size     int
	want     string
	canceled time.Duration // zero: not canceled
}

func (c *caller) call(random *rand.Rand) {
	k := &call{
		way: c.ways[random.IntN(len(c.ways))], kind: kinds[random.IntN(len(kinds))],
		id: strconv.FormatInt(c.next.Add(1), 10), size: []int{0, 1, 700, 9000, 70_000}[random.IntN(5)],
	}
	if random.IntN(4) == 0 { // one protocol has one way, the others have many
		k.way = c.ways[0]
	}
	if random.IntN(8) == 0 {
		k.canceled = time.Duration(1 + random.Int64N(int64(60*time.Millisecond)))
	}
	limit := 15 * time.Second
	if k.canceled > 0 {
		limit = k.canceled
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx, record := insist.WithRecord(ctx)
	err := k.make(ctx, c.clients[k.proto][k.kind], c.dir)
	attempts := 0
	for _, one := range record.Calls() {
		attempts += len(one)
	}
	c.note(k, err, attempts, record)
}

func (c *caller) note(k *call, err error, attempts int, record *insist.Record) {
	outcome := "good"
	switch {
	case err != nil && k.canceled > 0 && errors.Is(err, context.DeadlineExceeded):
		outcome = "canceled"
	case err != nil:
		outcome = "failed"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	how := ""
	if k.kind == "post" { // for who asks why
		how = fmt.Sprintf("%s, %s, %d bytes: %v%v", k.name, k.proto, k.size, record, errorsOf(record))
	}
	fmt.Fprintln(c.ledger, k.id, k.kind, outcome, k.want, how)
	for _, t := range []*tally{c.tally[k.proto], c.kinds[k.kind]} {
		t.calls++
		t.attempts += attempts
		switch outcome {
		case "good":
			t.good++
		case "canceled":
			t.canceled++
		}
	}
	if errors.Is(err, errWrong) && len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s by %s, %s, %d bytes: %v; %v", k.id, k.kind, k.name, k.proto, k.size, err, record))
	}
}

// errorsOf returns the texts of the attempts' errors, which a record leaves out.
func errorsOf(record *insist.Record) string {
	var b strings.Builder
	for _, attempts := range record.Calls() {
		for _, a := range attempts {
			if a.Err != nil {
				fmt.Fprintf(&b, "; %d: %v", a.Number, a.Err)
			}
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// errWrong is a response that no server gave: a fault, whatever else there was.
var errWrong = errors.New("wrong response")

// make makes the call, and checks the response.
func (k *call) make(ctx context.Context, client *http.Client, dir string) error {
	method, path, body, err := k.request(dir)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, k.url+path, body)
	if err != nil {
		return err
	}
	if k.kind == "file" {
		req.ContentLength = fileSize
	}
	req.Header.Set("Id", k.id)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		io.Copy(io.Discard, resp.Body)
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	if !strings.HasPrefix(resp.Proto, k.proto) {
		return fmt.Errorf("%w: %s", errWrong, resp.Proto)
	}
	return k.check(resp.Body)
}

// request returns what the call asks for.
func (k *call) request(dir string) (method, path string, body io.Reader, err error) {
	data := text(k.size)
	switch k.kind {
	case "put":
		k.want = sum(data)
		return "PUT", "/upload/0", bytes.NewReader(data), nil
	case "post":
		k.want = sum(data)
		return "POST", "/upload/0", struct{ io.Reader }{bytes.NewReader(data)}, nil // to be read once
	case "file":
		f, err := os.Open(filepath.Join(dir, "upload"))
		k.want = fileSum
		return "PUT", "/upload/0", f, err
	case "download":
		k.size *= 5
		k.want = "-"
		return "GET", "/download/" + strconv.Itoa(k.size), nil, nil
	case "events":
		k.want = "-"
		return "GET", "/events/0", nil, nil
	}
	k.want = "-"
	return "GET", "/json/" + strconv.Itoa(k.size), nil, nil
}

var fileSum = sum(text(fileSize))

// check reads a response and checks that it is right and whole.
func (k *call) check(body io.Reader) error {
	switch k.kind {
	case "download":
		h := sha256.New()
		n, err := io.Copy(h, body)
		if err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != sum(text(k.size)) {
			return fmt.Errorf("%w: %d bytes of %d", errWrong, n, k.size)
		}
		return nil
	case "events":
		data, err := io.ReadAll(body)
		switch n := strings.Count(string(data), "\"n\""); {
		case err != nil:
			return err
		case strings.Contains(string(data), "overloaded"): // attempts or time were used up
			return errors.New("overloaded")
		case n != eventCount:
			return fmt.Errorf("%w: %d events", errWrong, n)
		}
		return nil
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var answer struct {
		Code int `json:"ret_code"`
		Data string
	}
	switch err := json.Unmarshal(data, &answer); {
	case err != nil:
		return fmt.Errorf("%w: %w", errWrong, err)
	case answer.Code != 0:
		return fmt.Errorf("code %d", answer.Code)
	case k.want != "-" && answer.Data != k.want, k.want == "-" && answer.Data != string(text(k.size)):
		return fmt.Errorf("%w: %d bytes", errWrong, len(answer.Data))
	}
	return nil
}

// close closes all connections, and the ledger.
func (c *caller) close() error {
	for _, closeIdle := range c.closers {
		closeIdle()
	}
	if err := c.ledger.Flush(); err != nil {
		return err
	}
	return c.file.Close()
}
