package cooldown

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// service limits requests, either so many in each window, or by a bucket that
// fills evenly.
type service struct {
	limit  int
	window time.Duration
	bucket bool
	up     time.Duration // it answers 503 with Retry-After: 5 before
	takes  time.Duration // a response

	mu           sync.Mutex
	begun        time.Time
	current      time.Duration // window
	used         float64
	good, turned int
}

// request returns the Retry-After of a response, in whole seconds, or zero for one
// that is good.
func (v *service) request() time.Duration {
	time.Sleep(v.takes / 2)
	defer time.Sleep(v.takes / 2)
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Since(v.begun)
	left := v.left(now)
	if left == 0 {
		v.good++
		return 0
	}
	v.turned++
	return (left + s - 1).Truncate(s)
}

func (v *service) left(now time.Duration) time.Duration {
	perToken := v.window / time.Duration(v.limit)
	switch {
	case now < v.up:
		return 5 * s
	case v.bucket:
		v.used = max(0, v.used-float64(now-v.current)/float64(perToken))
		v.current = now
		if v.used > float64(v.limit-1) {
			return time.Duration((v.used - float64(v.limit-1)) * float64(perToken))
		}
	case now.Truncate(v.window) != v.current:
		v.current, v.used = now.Truncate(v.window), 0
	case v.used >= float64(v.limit):
		return v.current + v.window - now
	}
	v.used++
	return 0
}

// load is what calls there are: so many goroutines, each of which begins a while
// after the one before, and makes one call, or calls again and again for a time.
type load struct {
	goroutines int
	apart      time.Duration
	lasts      time.Duration
}

// alone stands for calls without a Table, in place of a spread.
const alone = time.Duration(-2)

// play returns how many requests were good, how many were turned away, and after
// what time all calls had ended.
func play(t *testing.T, v *service, l load, spread time.Duration) (good, turned int, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		v.begun = time.Now()
		generator := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		random := func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return generator.Float64()
		}
		var table Table
		call := func() {
			for wait := time.Duration(1); wait > 0; {
				var place Place
				for spread != alone {
					at, _ := table.Until("a", time.Now(), &place, random)
					if at.IsZero() {
						break
					}
					time.Sleep(time.Until(at))
				}
				if wait = v.request(); spread == alone {
					time.Sleep(wait)
				} else {
					table.Pause("a", time.Now(), wait, spread)
				}
			}
		}
		var calls sync.WaitGroup
		for range l.goroutines {
			calls.Go(func() {
				for call(); time.Since(v.begun) < l.lasts; call() {
					time.Sleep(s)
				}
			})
			time.Sleep(l.apart)
		}
		calls.Wait()
		took = time.Since(v.begun)
	})
	return v.good, v.turned, took
}

// Many goroutines against a limit, each of which retries until its call succeeds.
// Alone each waits for what it was told itself, and no longer; at once, all go when
// the pause ends; spread, as the package has it. Of fifty calls that begin at the
// same instant forty are turned away before anybody knows.
func TestSimulation(t *testing.T) {
	limit := func(limit int, window, takes time.Duration) func() *service {
		return func() *service { return &service{limit: limit, window: window, takes: takes} }
	}
	perMinute := limit(10, time.Minute, 100*ms)
	bucket := func() *service { return &service{limit: 10, window: time.Minute, takes: 100 * ms, bucket: true} }
	down := func() *service { return &service{limit: 1e6, window: s, takes: 100 * ms, up: 20 * s} }
	for _, c := range []struct {
		name                  string
		service               func() *service
		load                  load
		alone, atOnce, spread int           // requests that are turned away, about
		longer                time.Duration // than alone, at most, until all calls have ended
	}{
		{"50 one by one, 10 per minute", perMinute, load{50, 200 * ms, 0}, 100, 61, 5, 30 * s},
		{"50 at once, 10 per minute", perMinute, load{50, 0, 0}, 100, 100, 44, 30 * s},
		{"50 for 10 minutes, 10 per minute", perMinute, load{50, 200 * ms, 10 * time.Minute}, 600, 461, 18, 30 * s},
		{"50 one by one, 10 per minute, slow responses", limit(10, time.Minute, s), load{50, 200 * ms, 0}, 100, 65, 26, 30 * s},
		{"50 one by one, 10 per minute, a bucket", bucket, load{50, 200 * ms, 0}, 765, 765, 48, 10 * s},
		{"50 at once, 10 per second", limit(10, s, 100*ms), load{50, 0, 0}, 100, 100, 83, 3 * s},
		{"50 for a minute, 10 per second", limit(10, s, 100*ms), load{50, 0, time.Minute}, 2300, 2300, 430, 3 * s},
		{"3000 one by one, 1000 per minute", limit(1000, time.Minute, 100*ms), load{3000, 10 * ms, 0}, 3000, 1010, 78, 15 * s},
		{"1000 one by one, down for 20 seconds", down, load{1000, 20 * ms, 0}, 2462, 1574, 8, 4 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, nAlone, tookAlone := play(t, c.service(), c.load, alone)
			_, nAtOnce, tookAtOnce := play(t, c.service(), c.load, 0)
			nGood, nSpread, took := play(t, c.service(), c.load, s)
			t.Logf("turned away: %d alone, %d at once, %d spread, in %v, %v, %v; good: %d and %d",
				nAlone, nAtOnce, nSpread, tookAlone, tookAtOnce, took.Round(s/10), good, nGood)
			about := func(want, got int) { assert.InDelta(t, want, got, 2+float64(want)/10) }
			about(c.alone, nAlone)
			about(c.atOnce, nAtOnce)
			about(c.spread, nSpread)
			assert.LessOrEqual(t, took, tookAlone+c.longer)
			assert.GreaterOrEqual(t, nGood, good*3/4)
		})
	}
}
