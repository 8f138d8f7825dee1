package integrationtests

import (
	"runtime/debug"
	"testing"

	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // a fifth of the time otherwise: little is live here
	leak.Main(m)
}
