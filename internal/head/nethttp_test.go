package head

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNetHTTPBodies has each body made by net/http itself.
func TestNetHTTPBodies(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, "x")
			z.Close()
		case "/plain":
			io.WriteString(w, "x")
		}
	})
	for _, http2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(handler)
		s.EnableHTTP2 = http2
		s.StartTLS()
		defer s.Close()
		for path, want := range map[string]bool{"/zipped": true, "/plain": true, "/empty": false} {
			resp, err := s.Client().Get(s.URL + path)
			require.NoError(t, err)
			assert.Equal(t, want, ClosesDuringRead(resp.Body), "%T", resp.Body)
			assert.Equal(t, !want, IsEmpty(resp), "%T", resp.Body)
			resp.Body.Close()

			// A client's time limit is around any body.
			limited := *s.Client()
			limited.Timeout = time.Minute
			resp, err = limited.Get(s.URL + path)
			require.NoError(t, err)
			assert.False(t, ClosesDuringRead(resp.Body), "%T", resp.Body)
			resp.Body.Close()
		}
	}
	for _, body := range []io.ReadCloser{
		nil, io.NopCloser(strings.NewReader("x")), http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("x")), 1),
	} {
		assert.False(t, ClosesDuringRead(body), "%T", body)
	}
}
