package integrationtests

import (
	"net/http"
	"runtime/debug"
	"testing"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // little is live here, and a fifth of the time goes into its collection
	leak.Main(m, http.DefaultClient.CloseIdleConnections, new(insist.RetryTransport).CloseIdleConnections)
}
