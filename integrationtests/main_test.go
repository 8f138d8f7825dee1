package integrationtests

import (
	"net/http"
	"testing"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) {
	leak.Main(m, http.DefaultClient.CloseIdleConnections, new(insist.RetryTransport).CloseIdleConnections)
}
