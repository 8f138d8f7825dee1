package golangx

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/internal/servertest"
)

// An authorization server's refusal is not asked for again; its failure is.
func TestTokenRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		asked  int
	}{
		{400, `{"error": "invalid_grant", "error_description": "the token has expired"}`, 1},
		{401, `{"error": "invalid_client"}`, 1},
		{400, `{"error": "invalid_scope"}`, 1},
		{503, `{"error": "temporarily_unavailable"}`, 3},
		{502, `Bad Gateway`, 3},
	} {
		var count servertest.Counter
		s := servertest.HTTP1.Start(t, func(w http.ResponseWriter, r *http.Request) {
			count.Next(r)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		for name, source := range map[string]oauth2.TokenSource{
			"/credentials": (&clientcredentials.Config{
				ClientID: "id", TokenURL: s.URL + "/credentials", AuthStyle: oauth2.AuthStyleInHeader,
			}).TokenSource(t.Context()),
			"/refresh": (&oauth2.Config{Endpoint: oauth2.Endpoint{
				TokenURL: s.URL + "/refresh", AuthStyle: oauth2.AuthStyleInHeader,
			}}).TokenSource(t.Context(), &oauth2.Token{RefreshToken: "old"}),
		} {
			rt := &insist.RetryTransport{
				Base:   &oauth2.Transport{Source: source},
				Policy: insist.Policy{Backoff: insist.Constant(0)},
			}
			_, err := rt.RoundTrip(servertest.Request(t, "GET", s.URL+"/api", nil))
			assert.Error(t, err)
			assert.Equal(t, c.asked, count.Count(name), "%s: %s", name, c.body)
			assert.Zero(t, count.Count("/api"))
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
