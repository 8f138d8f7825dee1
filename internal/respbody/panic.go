package respbody

import (
	"errors"
	"io"
	"runtime"
)

// panicked is how a panic in a Read on a goroutine of ours is kept for the goroutine
// that asks for the bytes.
type panicked struct{ value any }

func (*panicked) Error() string { return "insist: a response body panicked in Read" }

// errExited stands for a Read that ended its goroutine, as a test's FailNow does.
var errExited = errors.New("insist: a response body ended the goroutine in Read")

// raise returns err, unless it stands for something else that a Read did: then it does
// the same.
func raise(err error) error {
	if p, ok := err.(*panicked); ok {
		panic(p.value)
	}
	if err == errExited {
		runtime.Goexit()
	}
	return err
}

// closeQuietly closes a body that nobody wants any more. A panic is dropped.
func closeQuietly(c io.Closer) {
	defer func() { recover() }()
	c.Close()
}
