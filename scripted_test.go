package insist

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// Short names for what nearly each test has.
type step = insisttest.Step

var (
	script = insisttest.NewScript
	status = insisttest.Status
)

// fails returns err when it has read the request.
func fails(err error) step {
	return insisttest.After(0, func(*http.Request) (*http.Response, error) { return nil, err })
}

var (
	errLost       = errors.New("the answer was lost")
	isUnsentError = &net.OpError{Op: "dial", Err: errLost}
)

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}

func text(t testing.TB, resp *http.Response) string {
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}
