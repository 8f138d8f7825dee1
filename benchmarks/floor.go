package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/tidwall/gjson"
)

// floorRows compare what insist costs where others are faster with the least that code by
// hand needs to promise the same, and with code that does not promise it.
func floorRows() []row {
	return []row{
		functionFloor(),
		{name: "POST without a body: the proof that nothing was sent", jobs: postFloor(upload{}, 0, marked, unmarked)},
		{name: "POST of 1 KiB that can be read once: its reader may block", jobs: postFloor(readOnce, 1<<10, besideReader, readFirst)},
		drainFloor(),
		lookFloor(),
		hedgeFloor(),
	}
}

const (
	withIt    = "by hand, with it"
	withoutIt = "by hand, without it"
)

// functionFloor passes a Policy by value, so that calls can't change each other's, and
// looks at the context before the call and at the result after it.
func functionFloor() row {
	ctx, policy := context.Background(), insist.Policy{Backoff: insist.Constant(0)}
	var f [3]flaky
	return row{name: "Do: a policy that is a plain value", jobs: []job{
		{"insist", func() {
			must(insist.Do(ctx, policy, func(context.Context) (int, error) { return f[0].call() }))
		}},
		{withIt, func() {
			must(tryByValue(ctx, policy, func(context.Context) (int, error) { return f[1].call() }))
		}},
		{withoutIt, func() {
			must(tryShared(ctx, &policy, func(context.Context) (int, error) { return f[2].call() }))
		}},
	}}
}

//go:noinline
func tryByValue(ctx context.Context, p insist.Policy, fn func(context.Context) (int, error)) (int, error) {
	return tryShared(ctx, &p, fn)
}

//go:noinline
func tryShared(ctx context.Context, p *insist.Policy, fn func(context.Context) (int, error)) (v int, err error) {
	for attempt := 0; attempt < max(p.MaxAttempts, 3); attempt++ {
		if err = ctx.Err(); err != nil {
			return v, err
		}
		if v, err = fn(ctx); err == nil {
			break
		}
	}
	return v, err
}

// postFloor sends a POST to a base that costs nothing.
func postFloor(u upload, size int, with, without func(http.RoundTripper) http.RoundTripper) (jobs []job) {
	for _, way := range []struct {
		name string
		over func(http.RoundTripper) http.RoundTripper
	}{{"insist", insistOver}, {withIt, with}, {withoutIt, without}} {
		rt := way.over(newReplies(0))
		req, asNew := u.fresh("POST", size)
		jobs = append(jobs, job{way.name, func() {
			asNew()
			get(rt, req)
		}})
	}
	return jobs
}

func insistOver(base http.RoundTripper) http.RoundTripper { return libraries[0].over(base, 0) }

func unmarked(base http.RoundTripper) http.RoundTripper { return base }

// markedRequest is a copy of a request whose context tells the base's hooks which attempt
// it is. One allocation holds both.
type markedRequest struct {
	req  http.Request
	mark mark
}

type mark struct {
	context.Context
	of *markedRequest
}

func (m *mark) Value(key any) any {
	if key == (markKey{}) {
		return m.of
	}
	return m.Context.Value(key)
}

type markKey struct{}

func marked(base http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		m := new(markedRequest)
		m.mark = mark{req.Context(), m}
		m.req = *req.WithContext(&m.mark)
		return base.RoundTrip(&m.req)
	})
}

// besideReader reads the body on a goroutine into memory, while the base reads what has
// arrived. An attempt that ends leaves the goroutine alone, and loses no byte.
func besideReader(base http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		own := *req
		own.Body = &besideBody{from: req.Body, left: int(req.ContentLength)}
		return base.RoundTrip(&own)
	})
}

type besideBody struct {
	from    io.ReadCloser
	left    int
	mu      sync.Mutex
	wake    sync.Cond
	data    []byte
	off     int
	err     error
	reading bool
}

func (b *besideBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.off == len(b.data) && b.err == nil {
		if !b.reading {
			b.reading, b.wake.L = true, &b.mu
			go b.fetch()
		}
		b.wake.Wait()
	}
	if b.off == len(b.data) {
		return 0, b.err
	}
	n := copy(p, b.data[b.off:])
	b.off += n
	return n, nil
}

func (b *besideBody) fetch() {
	room := make([]byte, b.left+1) // one more, to see the end
	n, err := b.from.Read(room)
	b.arrived(room[:n], err)
	if err == nil && n == b.left {
		_, err = b.from.Read(room[n:]) // it may block as well: what has arrived is sent
		b.arrived(nil, err)
	}
	b.mu.Lock()
	b.reading = false
	b.wake.Broadcast()
	b.mu.Unlock()
}

func (b *besideBody) arrived(data []byte, err error) {
	b.mu.Lock()
	if data != nil {
		b.data = data
	}
	b.err = err
	b.wake.Broadcast()
	b.mu.Unlock()
}

func (b *besideBody) Close() error { return b.from.Close() }

// readFirst reads the body before it sends anything.
func readFirst(base http.RoundTripper) http.RoundTripper { return loop{base} }

// drainFloor has two failed responses, which are read on a goroutine so that a slow one
// does not hold up the next attempt.
func drainFloor() row {
	r := drainRow("GET, two retries: a slow failed response does not hold up the next attempt", 2, 100)
	own := r.jobs[0]
	beside := newReplies(2)
	beside.failed = strings.Repeat("x", 100)
	rt, req := drainingBeside{beside}, newRequest("GET", nil)
	r.jobs = []job{own, {withIt, func() { get(rt, req) }}}
	inline := newReplies(2)
	inline.failed = beside.failed
	rt2, req2 := loop{inline}, newRequest("GET", nil)
	r.jobs = append(r.jobs, job{withoutIt, func() { get(rt2, req2) }})
	return r
}

type drainingBeside struct{ base http.RoundTripper }

func (t drainingBeside) RoundTrip(req *http.Request) (*http.Response, error) {
	var timer *time.Timer
	for {
		resp, err := t.base.RoundTrip(req)
		if err != nil || resp.StatusCode < 500 {
			return resp, err
		}
		if timer == nil {
			timer = time.NewTimer(50 * time.Millisecond)
			defer timer.Stop()
		} else {
			timer.Reset(50 * time.Millisecond)
		}
		body, done := resp.Body, make(chan struct{})
		go func() {
			defer close(done)
			io.CopyN(io.Discard, body, 64<<10)
			body.Close()
		}()
		select {
		case <-done:
		case <-timer.C:
		case <-req.Context().Done():
		}
	}
}

// lookFloor looks into a response of 1 KiB that may never arrive.
func lookFloor() row {
	doc := document(fillers[0].make(1<<10), true)
	failed := func(body []byte) bool { return gjson.GetBytes(body, "ret_code").Int() != 0 }
	base := func() http.RoundTripper {
		good, r := newAnswer(200), new(reader)
		good.Header.Set("Content-Type", "application/json")
		good.ContentLength = int64(len(doc))
		return roundTripper(func(*http.Request) (*http.Response, error) {
			r.from.Reset(doc)
			good.Body = r
			return good, nil
		})
	}
	policy := insist.Policy{RetryableBody: insist.JSONFieldNot("/ret_code", 0), MaxAttempts: 2}
	return row{name: "a look into 1 KiB, key last: bounded in time", jobs: []job{
		{"insist", readAnswer(&insist.RetryTransport{Base: base(), Policy: policy}, len(doc))},
		{withIt, readAnswer(lookingInTime(base(), failed), len(doc))},
		{withoutIt, readAnswer(&byHand{base(), failed}, len(doc))},
	}}
}

func lookingInTime(base http.RoundTripper, failed look) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		arrived, from := make(chan []byte, 1), resp.Body
		go func() {
			body, _ := io.ReadAll(from)
			arrived <- body
		}()
		timer := time.NewTimer(5 * time.Second)
		defer timer.Stop()
		select {
		case body := <-arrived:
			mustNot(failed(body))
			resp.Body = io.NopCloser(bytes.NewReader(body))
		case <-timer.C: // it would go on with what arrives later
		case <-req.Context().Done():
		}
		return resp, nil
	})
}

// hedgeRows are calls whose hedge is not needed.
func hedgeRows() []row {
	r := row{name: "GET, a hedge that is not needed"}
	for _, l := range append(hedgers[:len(hedgers):len(hedgers)], besides[0]) {
		var rt http.RoundTripper = newReplies(0)
		if l.hedging != nil {
			rt = l.hedging(rt, time.Minute)
		}
		req := newRequest("GET", nil)
		r.jobs = append(r.jobs, job{l.name, func() { get(rt, req) }})
	}
	return []row{r}
}

// hedgeFloor has a hedge that is not needed.
func hedgeFloor() row {
	policy := insist.Policy{Hedge: &insist.Hedge{Delay: time.Minute}}
	rt, req := &insist.RetryTransport{Base: newReplies(0), Policy: policy}, newRequest("GET", nil)
	rt2, req2 := hedging(newReplies(0)), newRequest("GET", nil)
	bare, req3 := newReplies(0), newRequest("GET", nil)
	return row{name: "a hedge that is not needed: the slower attempt holds up nobody", jobs: []job{
		{"insist", func() { get(rt, req) }},
		{withIt, func() { get(rt2, req2) }},
		{withoutIt, func() { get(bare, req3) }},
	}}
}

func hedging(base http.RoundTripper) http.RoundTripper {
	type result struct {
		resp *http.Response
		err  error
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		ctx, cancel := context.WithCancelCause(req.Context())
		defer cancel(nil)
		results := make(chan result, 2)
		attempt := func() {
			resp, err := base.RoundTrip(req.Clone(ctx)) // a loser may read it after the caller has it back
			results <- result{resp, err}
		}
		go attempt()
		timer := time.NewTimer(time.Minute)
		defer timer.Stop()
		select {
		case <-timer.C:
			go attempt()
		case r := <-results:
			return r.resp, r.err
		}
		r := <-results
		return r.resp, r.err
	})
}
