package errno

import "syscall"

// The kinds of errors. The kernel says "hungup" of a connection that is gone, to who
// reads and to who writes.
var (
	Refused     = Kind{syscall.ErrorString("connection refused")}
	Reset       = Kind{syscall.ErrorString("i/o on hungup channel")}
	BrokenPipe  = Reset
	Unreachable = Kind{syscall.ErrorString("no route")}
	TimedOut    = Kind{syscall.ETIMEDOUT}
)
