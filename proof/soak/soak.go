package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// result is what a run came to.
type result struct {
	length        time.Duration
	kills         map[string]int
	missing       []string
	caller        *caller
	books         *books
	samples       []sample
	before, after sample // without any call
}

// soak makes calls for the given time.
func soak(ctx context.Context, dir string, length time.Duration, seed uint64) (*result, error) {
	f, err := newField(dir)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	if err := f.start(); err != nil {
		return nil, err
	}
	c, err := newCaller(dir, f, seed)
	if err != nil {
		return nil, err
	}
	r := &result{missing: f.missing, caller: c, kills: map[string]int{}}
	r.before = takeSample(0)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var beside sync.WaitGroup
	var failed error
	beside.Go(func() { r.watch(ctx, begun, max(length/1000, 100*time.Millisecond)) })
	beside.Go(func() {
		failed = f.restart(ctx, rand.New(rand.NewPCG(seed, 1000)))
		cancel()
	})
	c.run(ctx)
	beside.Wait()
	r.length = time.Since(begun)
	if err := c.close(); err != nil || failed != nil {
		return nil, fmt.Errorf("%w, %w", failed, err)
	}
	for _, p := range f.processes {
		r.kills[p.name] = p.kills
	}
	r.settle(begun)
	f.stop()
	r.books, err = compare(dir)
	return r, err
}

// watch takes samples until the context ends.
func (r *result) watch(ctx context.Context, begun time.Time, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.samples = append(r.samples, takeSample(time.Since(begun)))
		}
	}
}

// restart kills one of the processes every few seconds and starts it again, each of them
// as often as the others.
func (f *field) restart(ctx context.Context, random *rand.Rand) error {
	var order []int
	for {
		if len(order) == 0 {
			order = random.Perm(len(f.processes))
		}
		p := f.processes[order[0]]
		order = order[1:]
		if !pause(ctx, time.Second+time.Duration(random.Int64N(int64(3*time.Second)))) {
			return nil
		}
		p.kill(random.IntN(2) == 0)
		p.kills++
		pause(ctx, time.Duration(random.Int64N(int64(500*time.Millisecond))))
		if err := p.start(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
}

// pause waits, and reports whether the context has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// settle waits until the process holds no more than in the beginning, or 30 s at most:
// connections of canceled calls take a moment, and a sync.Pool survives a collection.
func (r *result) settle(begun time.Time) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		r.after = takeSample(time.Since(begun))
		if r.after.goroutines <= r.before.goroutines && r.after.files <= r.before.files && r.after.heap <= r.before.heap+leftMemory {
			return
		}
		<-tick.C
	}
}

// leftMemory is what the process may hold more after all calls: packages keep some once
// they have been used.
const leftMemory = 3 << 20

// faults returns what is wrong.
func (r *result) faults() []string {
	all := append([]string{}, r.books.wrong...)
	for _, w := range r.caller.wrong {
		all = append(all, "wrong response: "+w)
	}
	for _, g := range gauges {
		if second, last, flat := g.trend(r.samples); !flat {
			all = append(all, fmt.Sprintf("%s grew from %d to %d", g.name, second, last))
		}
	}
	if r.after.goroutines > r.before.goroutines {
		all = append(all, fmt.Sprintf("%d goroutines are left, of %d", r.after.goroutines, r.before.goroutines))
	}
	if r.after.files > r.before.files {
		all = append(all, fmt.Sprintf("%d files are open, %d before", r.after.files, r.before.files))
	}
	if r.after.heap > r.before.heap+leftMemory {
		all = append(all, fmt.Sprintf("%d bytes are in use, %d before", r.after.heap, r.before.heap))
	}
	for _, proto := range protocols {
		if t := r.caller.tally[proto]; t.good < t.calls/2 {
			all = append(all, fmt.Sprintf("%s: %d of %d calls ended well", proto, t.good, t.calls))
		}
	}
	return all
}
