package reqbody

import "runtime"

// thrown is the error that stands for a panic, or a runtime.Goexit, in a method of the
// caller's body. The method may run on a goroutine of ours or of the base's, where a
// panic would end the process, so it is thrown again on the goroutine that called
// RoundTrip.
type thrown struct {
	value any  // of the panic; nil for a Goexit
	met   bool // the caller has met it
}

func (*thrown) Error() string {
	return "insist: a method of the request body panicked or ended its goroutine"
}

// protect calls f, a method of the caller's, and then done, with nil or the thrown that
// f ended in. After a Goexit done runs, too, but protect doesn't return.
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

// throw throws what err stands for, once. It must be called on the goroutine that called
// RoundTrip.
func throw(err error) {
	t, ok := err.(*thrown)
	if !ok || t.met {
		return
	}
	t.met = true
	if t.value == nil {
		runtime.Goexit()
	}
	panic(t.value)
}
