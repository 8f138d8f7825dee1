//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is how long the process has used a processor, collections included.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		panic("no getrusage")
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
