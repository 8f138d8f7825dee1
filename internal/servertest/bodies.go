package servertest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pattern returns n bytes, always the same, in which no sequence occurs twice.
func Pattern(n int) []byte {
	p, x := make([]byte, n), uint64(88172645463325252)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x)
	}
	return p
}

// Digest is a body's length and hash.
func Digest(p []byte) string { return fmt.Sprintf("%d bytes, %x", len(p), sha256.Sum256(p)) }

// DigestOf reads a body to its end and returns its Digest.
func DigestOf(r io.Reader) string {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return fmt.Sprintf("%d bytes, then %v", n, err)
	}
	return fmt.Sprintf("%d bytes, %x", n, h.Sum(nil))
}

// ReadAndClose reads and closes a response body.
func ReadAndClose(t testing.TB, resp *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(text)
}

// Megabyte is a body too large for the buffers of a connection and for a window of HTTP/2.
var Megabyte = Pattern(1<<20 + 17)
