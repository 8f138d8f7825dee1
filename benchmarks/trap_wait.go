package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

var silent = log.New(io.Discard, "", 0)

// waitTraps are about when the next attempt comes.
var waitTraps = []trap{
	{name: "After `Retry-After: 10000000000` the server is not asked again at once", run: absurdRetryAfter},
	{name: "`Retry-After` with a date is waited for", run: dateRetryAfter},
	{name: "A wait that would pass the deadline is not begun; the response comes at once", run: deadline},
	{name: "When the context ends a wait, the error says so (errors.Is)", run: canceled},
}

// attemptsWithin counts the attempts in the first half second after a 429 with
// this Retry-After, where the wait is otherwise short.
func attemptsWithin(ctx context.Context, l library, retryAfter string) int32 {
	ctx, cancel := context.WithCancel(ctx)
	defer time.AfterFunc(500*time.Millisecond, cancel).Stop()
	var n atomic.Int32
	srv, base, end := serve(func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(429)
	}, plain)
	defer end()
	discardAnswer(l.over(base, 10*time.Millisecond), ask(ctx, srv.URL))
	return n.Load()
}

func absurdRetryAfter(ctx context.Context, l library) verdict {
	n := attemptsWithin(ctx, l, "10000000000")
	return verdictOf(n == 1, "%d attempts in half a second", n)
}

func dateRetryAfter(ctx context.Context, l library) verdict {
	n := attemptsWithin(ctx, l, time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
	return verdictOf(n == 1, "")
}

func deadline(ctx context.Context, l library) verdict {
	srv, base, end := serve(unavailable, plain)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, _ := discardAnswer(l.over(base, time.Minute), ask(ctx, srv.URL))
	if ctx.Err() != nil {
		return verdict{no, "it waits until the deadline"}
	}
	return verdictOf(status == 503, "there is no response")
}

func canceled(ctx context.Context, l library) verdict {
	srv, base, end := serve(unavailable, plain)
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer time.AfterFunc(200*time.Millisecond, cancel).Stop()
	_, err := discardAnswer(l.over(base, bound/2), ask(ctx, srv.URL))
	return verdictOf(errors.Is(err, context.Canceled), "")
}

// otherTraps are about what must not be repeated, and about http.Client.
var otherTraps = []trap{
	{name: "A bad certificate is not asked for again", run: badCertificate},
	{name: "A POST whose response was lost is not carried out twice", run: lostAnswer},
	{name: "http.Client sees redirects", run: redirects},
}

func badCertificate(ctx context.Context, l library) verdict {
	srv, _, end := serve(ok, func(srv *httptest.Server) { srv.StartTLS() })
	defer end()
	distrusting := new(http.Transport)
	defer distrusting.CloseIdleConnections()
	n := 0
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		n++
		return distrusting.RoundTrip(req)
	})
	discardAnswer(l.over(base, 0), ask(ctx, srv.URL))
	return verdictOf(n == 1, "%d attempts", n)
}

func lostAnswer(ctx context.Context, l library) verdict {
	var done atomic.Int32
	srv, base, end := serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		done.Add(1)
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	}, plain)
	defer end()
	discardAnswer(l.over(base, 0), post(ctx, srv.URL, once([]byte("order"))))
	return verdictOf(done.Load() == 1, "%d times", done.Load())
}

func redirects(ctx context.Context, l library) verdict {
	srv, base, end := serve(http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, plain)
	defer end()
	client := &http.Client{Transport: l.over(base, 0), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := client.Do(ask(ctx, srv.URL))
	if err != nil {
		return verdict{no, "the library follows them"}
	}
	resp.Body.Close()
	return verdictOf(resp.StatusCode == http.StatusFound, "the library follows them")
}
