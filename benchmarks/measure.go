package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"time"
)

// job is one contender's way to do what its row says, once.
type job struct {
	name string
	run  func()
}

// cost is what a job takes: the time is for comparing jobs of one row, and is
// shown only as a ratio; the memory is exact.
type cost struct {
	time          float64
	allocs, bytes float64
}

// effort says how long a row is measured.
type effort struct {
	rounds int
	round  time.Duration        // of one job
	clock  func() time.Duration // what is measured; nil: the time that passes
}

// Many short rounds, of which the fastest counts: others use the machine too.
var usual = effort{rounds: 50, round: 4 * time.Millisecond}

// measure runs the jobs in turn, round by round, so that what else the machine
// does falls on all of them alike.
func (e effort) measure(jobs []job) []cost {
	costs, counts := make([]cost, len(jobs)), make([]int, len(jobs))
	for i, j := range jobs {
		counts[i] = e.count(j)
		costs[i].time = math.Inf(1)
	}
	for round := range e.rounds {
		for k := range jobs {
			i := (k + round) % len(jobs)
			runtime.GC() // so that nobody pays for what the one before him left
			took := e.timed(jobs[i].run, counts[i])
			costs[i].time = min(costs[i].time, took.Seconds()/float64(counts[i]))
		}
	}
	for i, j := range jobs {
		costs[i].allocs, costs[i].bytes = memory(j.run)
	}
	return costs
}

func (e effort) timed(run func(), n int) time.Duration {
	if e.clock == nil {
		start := time.Now()
		repeat(run, n)
		return time.Since(start)
	}
	start := e.clock()
	repeat(run, n)
	return e.clock() - start
}

func repeat(run func(), n int) {
	for range n {
		run()
	}
}

// count is how often j runs in a round.
func (e effort) count(j job) int {
	j.run()
	for n := 1; ; n *= 2 {
		if took := e.timed(j.run, n); took >= e.round/4 {
			return max(1, int(float64(n)*float64(e.round)/float64(took)))
		}
	}
}

// memory is the mean of what run allocates once its pools are filled. No
// collection may empty them, and one processor makes it the same in every run.
func memory(run func()) (allocs, bytes float64) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 3 {
		run()
	}
	_, once := allocated(run, 1)
	n := min(200, max(5, int((64<<20)/(once+1))))
	return allocated(run, n)
}

func allocated(run func(), n int) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	repeat(run, n)
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.Mallocs-before.Mallocs) / float64(n)),
		math.Round(float64(after.TotalAlloc-before.TotalAlloc) / float64(n))
}
