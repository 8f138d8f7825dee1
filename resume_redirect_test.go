package insist

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// TestRedirectsAndDownloads: a validator is one resource's. Where the client above
// has followed a redirect the request is the last one's; what the base follows may
// lead elsewhere each time.
func TestRedirectsAndDownloads(t *testing.T) {
	to := func(place string) step { return status(302, "Location", place) }
	other := piece(all, holds(strings.ToUpper(alphabet[5:]))) // whose tag is the same by chance
	for _, c := range []struct {
		name  string
		below bool
		steps []step
		want  string
	}{
		{"above", false, []step{to("/v1"), piece(5), piece(all)}, alphabet},
		{"above, then a redirect", false, []step{to("/v1"), piece(5), to("/v2"), other}, alphabet[:5]},
		{"below", true, []step{to("/v1"), piece(5), to("/v2"), other}, alphabet[:5]},
		{"below, in the continuation", true, []step{piece(5), to("/v2"), other}, alphabet[:5]},
		{"below, no redirect", true, []step{piece(5), piece(all)}, alphabet},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := insisttest.NewScript(c.steps...)
				base := roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := script.RoundTrip(req)
					resp.Request = req // as net/http's transport does
					return resp, err
				})
				if c.below {
					base = roundTripper((&http.Client{Transport: base}).Do)
				}
				client := &http.Client{Transport: &RetryTransport{Base: base, Policy: resuming()}}
				resp, err := client.Get("http://x/latest")
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				assert.Equal(t, c.want, string(got))
				if c.want != alphabet {
					assert.Equal(t, io.ErrUnexpectedEOF, err)
				}
				resp.Body.Close()
			})
		})
	}
}
