package insist

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replies answers without allocating: fails times 503, then 200, and again. It
// reads the request body to its end.
type replies struct {
	fails, n  int
	bad, good *http.Response
	buf       []byte
	failed    string // the body of a 503
	body      reread
}

func newReplies(fails int) *replies {
	return &replies{fails: fails, bad: response(503), good: response(200), buf: make([]byte, 32<<10)}
}

func (r *replies) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		for {
			if _, err := req.Body.Read(r.buf); err != nil {
				break
			}
		}
		req.Body.Close()
	}
	if r.n++; r.n%(r.fails+1) == 0 {
		return r.good, nil
	}
	if r.failed != "" {
		r.body.Reset(r.failed)
		r.bad.Body, r.bad.ContentLength = &r.body, int64(len(r.failed))
	}
	return r.bad, nil
}

// scenario is a request to be sent again and again: set makes it fresh.
type scenario struct {
	name   string
	method string
	key    bool
	size   int
	body   func(size int) (io.ReadCloser, func() (io.ReadCloser, error), func())
	fails  int
	failed string // the body of what fails
	hedged bool   // with a Hedge that is not needed
	allocs int64  // at most
	bytes  int64  // at most
}

// inMemory is what http.NewRequest makes of a strings.Reader.
func inMemory(size int) (io.ReadCloser, func() (io.ReadCloser, error), func()) {
	r := strings.NewReader(strings.Repeat("x", size))
	get := func() (io.ReadCloser, error) { panic("GetBody was called") }
	return io.NopCloser(r), get, func() { r.Seek(0, io.SeekStart) }
}

// readOnce has no GetBody.
func readOnce(size int) (io.ReadCloser, func() (io.ReadCloser, error), func()) {
	r := strings.NewReader(strings.Repeat("x", size))
	return io.NopCloser(struct{ io.Reader }{r}), nil, func() { r.Seek(0, io.SeekStart) }
}

// getBody is another kind of reader, with GetBody.
func getBody(size int) (io.ReadCloser, func() (io.ReadCloser, error), func()) {
	body, _, again := readOnce(size)
	return body, func() (io.ReadCloser, error) { again(); return body, nil }, again
}

var scenarios = []scenario{
	{name: "GET", method: "GET"},
	{name: "GET, a hedge is not needed", method: "GET", hedged: true, allocs: 8, bytes: 3200},
	{name: "GET, two retries", method: "GET", fails: 2, allocs: 2, bytes: 832},
	{name: "GET, two retries, failed bodies", method: "GET", fails: 2, failed: "try later", allocs: 6, bytes: 1200},
	{name: "PUT in memory 1KiB", method: "PUT", body: inMemory, size: 1 << 10},
	{name: "PUT in memory 1MiB", method: "PUT", body: inMemory, size: 1 << 20},
	{name: "POST with key in memory 1KiB", method: "POST", key: true, body: inMemory, size: 1 << 10},
	{name: "POST", method: "POST", allocs: 1, bytes: 416},
	{name: "POST in memory 1KiB", method: "POST", body: inMemory, size: 1 << 10, allocs: 1, bytes: 416},
	{name: "POST in memory 1KiB, two retries", method: "POST", body: inMemory, size: 1 << 10, fails: 2, allocs: 7, bytes: 1664},
	{name: "POST in memory 1MiB", method: "POST", body: inMemory, size: 1 << 20, allocs: 1, bytes: 416},
	{name: "POST GetBody 1KiB", method: "POST", body: getBody, size: 1 << 10, allocs: 4, bytes: 700},
	{name: "POST GetBody 1MiB", method: "POST", body: getBody, size: 1 << 20, allocs: 4, bytes: 700},
	{name: "POST read once 1KiB", method: "POST", body: readOnce, size: 1 << 10, allocs: 4, bytes: 800},
	{name: "POST read once 1MiB", method: "POST", body: readOnce, size: 1 << 20, allocs: 10, bytes: 8 << 10},
}

// ready returns a function that sends the request once.
func (s *scenario) ready(tb testing.TB) func() {
	base := newReplies(s.fails)
	base.failed = s.failed
	p := Policy{Backoff: Constant(0)}
	if s.hedged {
		p.Hedge = &Hedge{Delay: time.Minute}
	}
	return s.through(tb, &RetryTransport{Base: base, Policy: p})
}

// through returns a function that sends the request once, through rt.
func (s *scenario) through(tb testing.TB, rt http.RoundTripper) func() {
	// A context that can end costs a body that is not in memory 144 bytes more,
	// for context.AfterFunc.
	req := request(tb, s.method, "http://x/", nil).WithContext(context.Background())
	again := func() {}
	var body io.ReadCloser
	if s.body != nil {
		body, req.GetBody, again = s.body(s.size)
		req.ContentLength = int64(s.size)
	}
	if s.key {
		req.Header.Set("Idempotency-Key", "1")
	}
	return func() {
		again()
		req.Body = body
		if resp, err := rt.RoundTrip(req); err != nil || resp.StatusCode != 200 {
			tb.Fatal(resp, err)
		}
	}
}

// BenchmarkRoundTrip is what insist adds to a base that does nothing. What that takes by
// itself comes first.
func BenchmarkRoundTrip(b *testing.B) {
	b.Run("GET, bare", func(b *testing.B) {
		for send := scenarios[0].through(b, newReplies(0)); b.Loop(); {
			send()
		}
	})
	for _, s := range scenarios {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for send := s.ready(b); b.Loop(); {
				send()
			}
		})
	}
}

// calls are what a function helper is asked for.
var calls = []struct {
	name    string
	retries int
	run     func(ctx context.Context, p Policy, n *int)
}{
	{"Do, good at once", 0, func(ctx context.Context, p Policy, _ *int) {
		Do(ctx, p, func(context.Context) (int, error) { return 1, nil })
	}},
	{"Do, two failures", 2, func(ctx context.Context, p Policy, n *int) {
		Do(ctx, p, func(context.Context) (int, error) {
			if *n++; *n%3 != 0 {
				return 0, io.ErrUnexpectedEOF
			}
			return 1, nil
		})
	}},
	{"Do, two bad values", 2, func(ctx context.Context, p Policy, n *int) {
		Do(ctx, p, func(context.Context) (int, error) { *n++; return *n % 3, nil }, func(v int) bool { return v != 0 })
	}},
	{"Run, two failures", 2, func(ctx context.Context, p Policy, n *int) {
		Run(ctx, p, func(context.Context) error {
			if *n++; *n%3 != 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
	}},
}

// budgeted are calls that succeed at once and draw on a Budget, by requests and by
// functions that are closures.
var budgeted = []struct {
	name  string
	ready func(tb testing.TB, p Policy) func()
}{
	{"GET", get("http://api.example.com/")},
	{"GET with a port", get("http://api.example.com:8080/")},
	{"GET, default port", get("http://api.example.com:80/")},
	{"Do", func(_ testing.TB, p Policy) func() {
		ctx := context.Background()
		return func() {
			n := 0
			Do(ctx, p, func(context.Context) (int, error) { n++; return n, nil })
		}
	}},
	{"Run, with a name", func(_ testing.TB, p Policy) func() {
		ctx := context.Background()
		p.Name = "publish"
		return func() {
			n := 0
			Run(ctx, p, func(context.Context) error { n++; return nil })
		}
	}},
	{"Func", func(_ testing.TB, p Policy) func() {
		ctx, fn := context.Background(), Func(p, new(store).Get)
		return func() { fn(ctx, 1) }
	}},
}

func get(url string) func(testing.TB, Policy) func() {
	return func(tb testing.TB, p Policy) func() {
		rt, req := &RetryTransport{Base: newReplies(0), Policy: p}, request(tb, "GET", url, nil)
		return func() { rt.RoundTrip(req) }
	}
}

// BenchmarkBudget is what a Budget adds to a call that succeeds at once.
func BenchmarkBudget(b *testing.B) {
	for _, c := range budgeted {
		for name, budget := range map[string]*Budget{"none": nil, "Budget": new(Budget)} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for call := c.ready(b, Policy{Budget: budget}); b.Loop(); {
					call()
				}
			})
		}
	}
}

func BenchmarkDo(b *testing.B) {
	ctx, p := context.Background(), Policy{Backoff: Constant(0)}
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				c.run(ctx, p, &n)
			}
		})
	}
}

// reread is a response body that can be given again.
type reread struct{ strings.Reader }

func (*reread) Close() error { return nil }

// jsonAnswer returns what sends a GET that is answered by a JSON body, under p.
// The response itself costs nothing. The base is net/http's, or another.
func jsonAnswer(tb testing.TB, netHTTP bool, p Policy, body string) func() {
	good, r := response(200, "Content-Type", "application/json"), new(reread)
	good.ContentLength = int64(len(body))
	rt := &RetryTransport{Policy: p, Base: roundTripper(func(*http.Request) (*http.Response, error) {
		r.Reset(body)
		good.Body = r
		return good, nil
	})}
	if netHTTP {
		base := new(http.Transport)
		base.RegisterProtocol("http", rt.Base)
		rt.Base = base
	}
	req, buf := request(tb, "GET", "http://x/", nil), make([]byte, 32<<10)
	return func() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			tb.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		resp.Body.Close()
	}
}

// BenchmarkCondition is what a condition on the JSON body costs, reading the body
// included.
func BenchmarkCondition(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		filler := strings.Repeat("x", size-40)
		for _, c := range []struct {
			name, body string
			condition  BodyCondition
		}{
			{"none", `{"ret_code": 0, "data": "` + filler + `"}`, nil},
			{"key first", `{"ret_code": 0, "data": "` + filler + `"}`, JSONFieldNot("/ret_code", 0)},
			{"key last", `{"data": "` + filler + `", "ret_code": 0}`, JSONFieldNot("/ret_code", 0)},
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", c.name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				p := Policy{RetryableBody: c.condition, MaxPeekBytes: 8 << 20}
				for send := jsonAnswer(b, true, p, c.body); b.Loop(); {
					send()
				}
			})
		}
	}
}

// BenchmarkJSONField is the condition alone, on a body as it would be read.
func BenchmarkJSONField(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		filler := strings.Repeat("x", size-40)
		for name, body := range map[string]string{
			"key first": `{"ret_code": 0, "data": "` + filler + `"}`,
			"key last":  `{"data": "` + filler + `", "ret_code": 0}`,
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				r, condition := strings.NewReader(body), JSONFieldNot("/ret_code", 0)
				for b.Loop() {
					r.Reset(body)
					condition(nil, nil, 1, r)
				}
			})
		}
	}
}

// zeros is a body of n bytes that takes no memory and can be read once.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	z.n -= n
	return int(n), nil
}

// BenchmarkUpload256MiB shows the peak of the heap during an upload over loopback, and
// when its first byte is at the server: beside the bare transport, with GetBody or of a
// file nothing is kept, and of a body that is read once what MaxReplayBytes allows.
func BenchmarkUpload256MiB(b *testing.B) {
	const size = 256 << 20
	arrived := make(chan time.Time, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 1))
		arrived <- time.Now()
		io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	file, err := os.Create(filepath.Join(b.TempDir(), "body"))
	require.NoError(b, err)
	require.NoError(b, file.Truncate(size))
	readOnce := func() (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil }
	open := func() (io.ReadCloser, error) { return os.Open(file.Name()) }
	bare := http.DefaultTransport.(*http.Transport).Clone()
	defer bare.CloseIdleConnections()
	for _, c := range []struct {
		name    string
		rt      http.RoundTripper
		body    func() (io.ReadCloser, error)
		getBody bool
	}{
		{"read once, bare", bare, readOnce, false},
		{"read once", &RetryTransport{Base: bare}, readOnce, false},
		{"GetBody", &RetryTransport{Base: bare}, readOnce, true},
		{"file, bare", bare, open, false},
		{"file", &RetryTransport{Base: bare}, open, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			var peak uint64
			var first time.Duration
			for b.Loop() {
				peak = max(peak, peakHeap(func() {
					body, err := c.body()
					require.NoError(b, err)
					req, err := http.NewRequest("POST", srv.URL, body)
					require.NoError(b, err)
					if c.getBody {
						req.GetBody = c.body
					}
					start := time.Now()
					resp, err := c.rt.RoundTrip(req)
					require.NoError(b, err)
					resp.Body.Close()
					first += (<-arrived).Sub(start)
				}))
			}
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			b.ReportMetric(float64(first.Microseconds())/float64(b.N), "first-byte-µs")
		})
	}
}

// peakHeap is by how much the heap in use rises while f runs, at most, as far as
// looking once a millisecond shows.
func peakHeap(f func()) (peak uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		var m runtime.MemStats
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	f()
	cancel()
	<-watched
	return max(peak, before) - before
}
