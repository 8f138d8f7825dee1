package between

import (
	"syscall"
	"time"
)

// sleepReally sleeps in a system call, which for testing/synctest is work.
func sleepReally(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) // a shorter sleep does no harm
}
