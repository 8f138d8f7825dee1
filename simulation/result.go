package main

import "time"

// bin is the resolution in time of what is counted.
const bin = 500 * time.Millisecond

// series counts events by their time.
type series []float64

func (s series) add(at time.Duration) {
	if i := int(at / bin); i < len(s) {
		s[i]++
	}
}

func (s series) sum(from, to time.Duration) (n float64) {
	for _, x := range s[from/bin : to/bin] {
		n += x
	}
	return n
}

// result is the result of a run.
type result struct {
	scenario *scenario
	calls    series // begun
	load     series // attempts that reached the server
	good     series // calls that ended well, by the time when they began
	goodput  series // the same, by the time when they ended
	limited  series // attempts that met the rate limit
}

func newResult(s *scenario) *result {
	n := int(s.horizon / bin)
	return &result{s, make(series, n), make(series, n), make(series, n), make(series, n), make(series, n)}
}

// amplification is the load over the calls, in the time of the trouble.
func (r *result) amplification() float64 {
	from, to := r.scenario.begin, r.scenario.end
	return r.load.sum(from, to) / r.calls.sum(from, to)
}

// success is the share of the calls that ended well, of those that were begun
// within 30 seconds of the begin of the trouble.
func (r *result) success() float64 {
	from, to := r.scenario.begin, r.scenario.begin+troubleTime
	return r.good.sum(from, to) / r.calls.sum(from, to)
}

// recovery is how long after the trouble there still is a second in which fewer than 95 %
// of the calls succeed. It is negative if that lasts to the end of the run.
func (r *result) recovery() time.Duration {
	if r.scenario.server.errors > 0 {
		return 0 // nothing is to end
	}
	const step = time.Second
	for t := r.scenario.horizon - 2*step; t >= r.scenario.end; t -= step {
		if r.good.sum(t, t+step) < 0.95*r.calls.sum(t, t+step) {
			if t == r.scenario.horizon-2*step {
				return -1
			}
			return t + step - r.scenario.end
		}
	}
	return 0
}
