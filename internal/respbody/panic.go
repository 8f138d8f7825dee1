package respbody

import (
	"errors"
	"io"
	"runtime"
)

// panicked is an error that carries a panic from a Read on our goroutine to the goroutine
// that needs the bytes.
type panicked struct{ value any }

func (*panicked) Error() string { return "insist: a response body panicked in Read" }

// errExited represents a Read that ended its goroutine, as a test's FailNow does.
var errExited = errors.New("insist: a response body ended the goroutine in Read")

// raise returns err. If err represents a panic or a Goexit in a Read, it does the same
// instead.
func raise(err error) error {
	if p, ok := err.(*panicked); ok {
		panic(p.value)
	}
	if err == errExited {
		runtime.Goexit()
	}
	return err
}

// closeQuietly closes a body that is not needed any more. A panic is dropped.
func closeQuietly(c io.Closer) {
	defer func() { recover() }()
	c.Close()
}
