package errno

import "syscall"

// The kinds of errors. If a connection is gone, the kernel returns the same "hungup" error
// to Read and to Write.
var (
	Refused     = Kind{syscall.ErrorString("connection refused")}
	Reset       = Kind{syscall.ErrorString("i/o on hungup channel")}
	BrokenPipe  = Reset
	Unreachable = Kind{syscall.ErrorString("no route")}
	TimedOut    = Kind{syscall.ETIMEDOUT}
)
