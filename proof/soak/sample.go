package main

import (
	"os"
	"runtime"
	"slices"
	"time"
)

// sample is what the process holds at a moment.
type sample struct {
	at                      time.Duration
	heap, goroutines, files int
}

func takeSample(at time.Duration) sample {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return sample{at, int(m.HeapAlloc), runtime.NumGoroutine(), openFiles()}
}

// openFiles counts the open files and sockets, where the system lists them: on Linux.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// gauge is one of the things that are to stay flat.
type gauge struct {
	name string
	unit float64 // of what is shown
	of   func(sample) int
	room int // that a median may grow by, beside a tenth of it; twice that in a short run
}

var gauges = []gauge{
	{"memory in use after a collection, MiB", 1 << 20, func(s sample) int { return s.heap }, 4 << 20},
	{"goroutines", 1, func(s sample) int { return s.goroutines }, 20},
	{"open files and sockets", 1, func(s sample) int { return s.files }, 20},
}

// longRun is how long a run takes whose quarters are all alike, whatever else the machine
// does.
const longRun = 5 * time.Minute

// trend compares the second quarter of the samples with the last.
func (g gauge) trend(samples []sample) (second, last int, flat bool) {
	q := len(samples) / 4
	second, last = g.median(samples[q:2*q]), g.median(samples[len(samples)-q:])
	room := g.room
	if n := len(samples); n > 0 && samples[n-1].at < longRun {
		room *= 2
	}
	return second, last, last <= second+second/10+room
}

func (g gauge) median(samples []sample) int {
	if len(samples) == 0 {
		return 0
	}
	var all []int
	for _, s := range samples {
		all = append(all, g.of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
