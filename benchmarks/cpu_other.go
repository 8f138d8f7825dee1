//go:build !unix

package main

import "time"

var started = time.Now()

// cpuTime is the time that has passed: the time of the processors is not known here.
func cpuTime() time.Duration { return time.Since(started) }
