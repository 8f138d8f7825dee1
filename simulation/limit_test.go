package main

import (
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// What is wanted of a Cooldown, whatever the dice say: few requests are turned away
// where their calls did not all begin before the first 429, and all calls are done
// half a minute later than without at most.
func TestLimit(t *testing.T) {
	most := []float64{0.52, 0.15, 0.04} // of all requests
	least := []float64{0.6, 0.6, 0.4}   // without
	for i, l := range limits {
		for seed := range uint64(5) {
			alone, together := compareLimited(l, seed)
			assert.Equal(t, l.calls, alone.requests-alone.refused, l.name)
			assert.Equal(t, l.calls, together.requests-together.refused, l.name)
			assert.GreaterOrEqual(t, alone.share(), least[i], l.name)
			assert.LessOrEqual(t, together.share(), most[i], l.name)
			assert.LessOrEqual(t, together.took, alone.took+30*time.Second, l.name)
		}
	}
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), limitTable(), "go run . writes it")
}

// The library's own RetryTransport comes to the same.
func TestLimitEngineDoesTheSame(t *testing.T) {
	for _, l := range limits[:2] {
		alone, together := compareLimited(l, 1)
		for _, c := range []struct {
			cooldown *insist.Cooldown
			want     limitedResult
		}{{nil, alone}, {new(insist.Cooldown), together}} {
			got := playLimited(t, l, insist.Policy{
				MaxAttempts: 100, MaxRetryAfter: time.Hour, Cooldown: c.cooldown,
			})
			assert.InDelta(t, c.want.share(), got.share(), 0.08, l.name)
			assert.InDelta(t, c.want.took.Seconds(), got.took.Seconds(), 5, l.name)
		}
	}
}

// playLimited plays it with a RetryTransport, in virtual time.
func playLimited(t *testing.T, l limited, p insist.Policy) (r limitedResult) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		used := map[time.Duration]int{}
		begun := time.Now()
		client := &insist.RetryTransport{Policy: p, Base: trip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(50 * time.Millisecond)
			defer time.Sleep(50 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
			r.requests++
			if asked := askedBy(used, time.Since(begun), l.perMin); asked > 0 {
				r.refused++
				resp.StatusCode = http.StatusTooManyRequests
				resp.Header.Set("Retry-After", strconv.Itoa(int(asked.Seconds())))
			}
			return resp, nil
		})}
		var calls sync.WaitGroup
		for range l.calls {
			calls.Go(func() {
				req, _ := http.NewRequest("GET", "http://server.test/", nil)
				resp, err := client.RoundTrip(req)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, resp.StatusCode)
				}
			})
			time.Sleep(l.apart)
		}
		calls.Wait()
		r.took = time.Since(begun)
	})
	return r
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
