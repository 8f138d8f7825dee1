package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// replies is a base that costs nothing: it reads the body and responds with 503 fails
// times, then with 200, and then starts again.
type replies struct {
	fails, n  int
	bad, good *http.Response
	buf       []byte
	failed    string // the body of a 503
	body      reread
}

// reread is a response body that can be used again. Its type doesn't show that a Read never
// blocks.
type reread struct{ strings.Reader }

func (*reread) Close() error { return nil }

func newReplies(fails int) *replies {
	return &replies{fails: fails, bad: newAnswer(503), good: newAnswer(200), buf: make([]byte, 32<<10)}
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
	resp := r.good
	if r.n++; r.n%(r.fails+1) != 0 {
		resp = r.bad
	}
	resp.Body = http.NoBody // some libraries wrap it
	if resp == r.bad && r.failed != "" {
		r.body.Reset(r.failed)
		resp.Body, resp.ContentLength = &r.body, int64(len(r.failed))
	}
	return resp, nil
}

var (
	inMemory    = upload{"in memory", true, true, false}
	withGetBody = upload{"with GetBody", true, false, false}
	readOnce    = upload{"that can be read once", false, false, false}
	unsized     = upload{"that can be read once, its length unknown", false, false, true}
)

// exchangeRows compares what libraries add to a base that costs nothing.
func exchangeRows() []row {
	rows := []row{
		exchangeRow("GET", "GET", upload{}, 0, 0),
		exchangeRow("GET, two retries", "GET", upload{}, 0, 2),
		drainRow("GET, two retries, failed responses of 100 bytes", 2, 100),
		exchangeRow("POST without a body", "POST", upload{}, 0, 0),
	}
	for _, u := range []upload{inMemory, withGetBody, readOnce} {
		for _, size := range []int{1 << 10, 1 << 20} {
			rows = append(rows, exchangeRow("POST of "+unit(float64(size))+" "+u.name, "POST", u, size, 0))
		}
	}
	return append(rows,
		exchangeRow("PUT of 1 KiB in memory", "PUT", inMemory, 1<<10, 0),
		exchangeRow("POST of 1 KiB in memory, two retries", "POST", inMemory, 1<<10, 2),
		exchangeRow("POST of 1 MiB that can be read once, its length unknown", "POST", unsized, 1<<20, 0),
		exchangeRow("POST of 1 MiB that can be read once, two retries", "POST", readOnce, 1<<20, 2),
	)
}

// contenders are the libraries, what one writes by hand and, if nothing fails, the base
// alone.
func contenders(fails int) []library {
	all := append(slices.Clone(libraries), besides...)
	if fails > 0 {
		all = slices.DeleteFunc(all, func(l library) bool { return l.over == nil })
	}
	return all
}

// wrap returns the library over base, without a wait, or base if there is no library.
func (l library) wrap(base http.RoundTripper) http.RoundTripper {
	if l.over == nil {
		return base
	}
	return l.over(base, 0)
}

func exchangeRow(name, method string, u upload, size, fails int) row {
	r := row{name: name}
	for _, l := range contenders(fails) {
		rt := l.wrap(newReplies(fails))
		req, asNew := u.fresh(method, size)
		r.jobs = append(r.jobs, job{l.name, func() {
			asNew()
			get(rt, req)
		}})
	}
	return r
}

// drainRow is exchangeRow for failed responses that have a body of size bytes.
func drainRow(name string, fails, size int) row {
	r := row{name: name}
	for _, l := range contenders(fails) {
		base := newReplies(fails)
		base.failed = strings.Repeat("x", size)
		rt, req := l.wrap(base), newRequest("GET", nil)
		r.jobs = append(r.jobs, job{l.name, func() { get(rt, req) }})
	}
	return r
}

// get sends req and reads the response to its end.
func get(rt http.RoundTripper, req *http.Request) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		panic(resp.Status)
	}
}

// loopbackRows compares whole requests to a server on the same machine with the
// bare transport.
func loopbackRows() (rows []row, end func()) {
	srv := httptest.NewServer(shortAnswer)
	bare := srv.Client().Transport.(*http.Transport)
	bare.MaxIdleConnsPerHost = parallel
	with := func(rt http.RoundTripper, method string, u upload, size int) func() {
		req, asNew := u.fresh(method, size)
		target := newRequest(method, nil).URL
		target.Host = srv.Listener.Addr().String()
		return func() {
			asNew()
			req.URL = target
			get(rt, req)
		}
	}
	for _, c := range []struct {
		name, method string
		size         int
		several      bool
	}{
		{"GET, one after the other", "GET", 0, false},
		{"GET, 16 at a time", "GET", 0, true},
		{"POST of 1 KiB in memory, one after the other", "POST", 1 << 10, false},
	} {
		r := row{name: c.name}
		for _, l := range append([]library{{name: "bare"}}, libraries...) {
			rt := l.wrap(bare)
			run := with(rt, c.method, inMemory, c.size)
			if c.several {
				run = together(func() func() { return with(rt, c.method, inMemory, c.size) })
			}
			r.jobs = append(r.jobs, job{l.name, run})
		}
		rows = append(rows, r)
	}
	return rows, srv.Close
}

var shortAnswer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, "a short response")
})

// cpuRows compare the time of the processors that calls take, on both sides, to a server
// on the same machine.
func cpuRows() (rows []row, end func()) {
	var servers []*httptest.Server
	for _, c := range []struct {
		name, method string
		size         int
		http2        bool
	}{
		{"GET, HTTP/1.1", "GET", 0, false},
		{"POST of 1 KiB in memory, HTTP/1.1", "POST", 1 << 10, false},
		{"GET, HTTP/2", "GET", 0, true},
		{"POST of 1 KiB in memory, HTTP/2", "POST", 1 << 10, true},
	} {
		srv := httptest.NewUnstartedServer(shortAnswer)
		srv.EnableHTTP2 = c.http2
		srv.StartTLS()
		servers = append(servers, srv)
		r := row{name: c.name}
		for _, l := range append([]library{{name: "bare"}}, libraries...) {
			rt := l.wrap(srv.Client().Transport)
			req, asNew := inMemory.fresh(c.method, c.size)
			target := *req.URL
			target.Scheme, target.Host = "https", srv.Listener.Addr().String()
			r.jobs = append(r.jobs, job{l.name, func() {
				asNew()
				req.URL = &target
				get(rt, req)
			}})
		}
		rows = append(rows, r)
	}
	return rows, func() {
		for _, srv := range servers {
			srv.Close()
		}
	}
}

const parallel = 16

// together returns a function that runs what it has made parallel times, at a
// time.
func together(one func() func()) func() {
	var runs []func()
	for range parallel {
		runs = append(runs, one())
	}
	return func() {
		var wg sync.WaitGroup
		for _, run := range runs {
			wg.Go(run)
		}
		wg.Wait()
	}
}
