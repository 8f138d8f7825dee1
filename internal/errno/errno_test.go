package errno

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKinds(t *testing.T) {
	for name, k := range map[string]Kind{
		"refused": Refused, "reset": Reset, "broken pipe": BrokenPipe, "unreachable": Unreachable, "timed out": TimedOut,
	} {
		for _, e := range k {
			assert.True(t, k.Is(&net.OpError{Op: "read", Err: os.NewSyscallError("read", e)}), "%s: %v", name, e)
			assert.False(t, k.Is(fmt.Errorf("the server said: %v", e)), name)
		}
		assert.True(t, k.Is(k.Err()))
		assert.False(t, k.Is(nil))
		assert.False(t, k.Is(os.ErrNotExist))
	}
	assert.False(t, Refused.Is(Reset.Err()))
	assert.False(t, TimedOut.Is(Unreachable.Err()))
}
