package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cristalhq/hedgedhttp"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/seed-552c89fc/insist"
)

// hedgers are the libraries that begin a second attempt beside one whose response does
// not come within hedgeDelay. Nothing fails here, so none retries.
var hedgers = []library{
	{
		name: "insist",
		hedging: func(base http.RoundTripper, delay time.Duration) http.RoundTripper {
			return &insist.RetryTransport{Base: base, Policy: insist.Policy{Hedge: &insist.Hedge{Delay: delay}}}
		},
	},
	{
		name: "failsafe",
		hedging: func(base http.RoundTripper, delay time.Duration) http.RoundTripper {
			return failsafehttp.NewRoundTripper(base, hedgepolicy.NewWithDelay[*http.Response](delay))
		},
	},
	{
		name: "hedgedhttp",
		hedging: func(base http.RoundTripper, delay time.Duration) http.RoundTripper {
			rt, err := hedgedhttp.NewRoundTripper(delay, 2, base)
			if err != nil {
				panic(err)
			}
			return rt
		},
	},
}

const hedgeDelay = 20 * time.Millisecond

// hedgeTraps are about hedging.
var hedgeTraps = []trap{
	{name: "A second attempt overtakes one that is slow", run: overtakes},
	{name: "When all responses are slow, the second attempts do not double the load", run: allSlow},
}

func overtakes(ctx context.Context, l library) verdict {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	srv, base, end := serve(failFirst(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }), plain)
	defer end()
	_, body := bodyOf(l.hedging(base, hedgeDelay), ask(ctx, srv.URL))
	return verdictOf(body == "hello", "")
}

// allSlow makes many calls whose responses all take three times as long as a hedge waits.
func allSlow(ctx context.Context, l library) verdict {
	const calls, atOnce = 100, 4
	var requests atomic.Int32
	srv, base, end := serve(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		time.Sleep(3 * hedgeDelay)
	}, plain)
	defer end()
	rt := l.hedging(base, hedgeDelay)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for range calls / atOnce {
				discardAnswer(rt, ask(ctx, srv.URL))
			}
		})
	}
	all.Wait()
	v := verdictOf(requests.Load() < calls*3/2, "")
	v.note = fmt.Sprintf("%d requests for %d calls", requests.Load(), calls)
	return v
}
