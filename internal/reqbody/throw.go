package reqbody

import (
	"runtime"
	"sync/atomic"
)

// thrown is an error that represents a panic, or a runtime.Goexit, in a method of the
// caller's body. The method may run on a goroutine of ours or of the base, where a
// panic would end the process. So the panic is raised again on the goroutine that called
// RoundTrip.
type thrown struct {
	value  any         // of the panic; nil for a Goexit
	raised atomic.Bool // throw has raised it again
}

func (*thrown) Error() string {
	return "insist: a method of the request body panicked or ended its goroutine"
}

// protect calls f, which runs a method of the caller's body, and then done: with nil, or
// with a *thrown if f panicked or called Goexit. After a Goexit protect doesn't return,
// but done runs.
func protect(f func(), done func(error)) {
	returned := false
	defer func() {
		value := recover()
		if returned {
			done(nil)
			return
		}
		done(&thrown{value: value})
	}()
	f()
	returned = true
}

// throw raises again what err represents, if it is a *thrown, and does so only once. It
// must be called on the goroutine that called RoundTrip, or on one that passes a panic on to
// it. Attempts that overlap may call it concurrently.
func throw(err error) {
	t, ok := err.(*thrown)
	if !ok || t.raised.Swap(true) {
		return
	}
	if t.value == nil {
		runtime.Goexit()
	}
	panic(t.value)
}
