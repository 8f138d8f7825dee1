//go:build !plan9 && !windows

package errno

import "syscall"

// The kinds of errors.
var (
	Refused     = Kind{syscall.ECONNREFUSED}
	Reset       = Kind{syscall.ECONNRESET, syscall.ECONNABORTED}
	BrokenPipe  = Kind{syscall.EPIPE}
	Unreachable = Kind{syscall.EHOSTUNREACH, syscall.ENETUNREACH}
	TimedOut    = Kind{syscall.ETIMEDOUT}
)
