package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gregjones/httpcache"
	"golang.org/x/oauth2"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// shortLived gives a new token each time, which is good for one attempt.
type shortLived struct{ n int }

func (s *shortLived) Token() (*oauth2.Token, error) {
	s.n++
	return &oauth2.Token{AccessToken: fmt.Sprint("token ", s.n), Expiry: time.Now().Add(time.Hour)}, nil
}

// From the client downwards: the cache, whose hits need no attempt; insist; and
// oauth2, which is asked for a token for each attempt.
func Example_cacheAndOAuth2() {
	api := insisttest.NewScript(
		insisttest.Status(503, "Retry-After", "0"),
		insisttest.JSON(200, `{"stock": 5}`, "Cache-Control", "max-age=60", "Date", time.Now().UTC().Format(http.TimeFormat)),
	)
	server := httptest.NewServer(api)
	defer server.Close()
	url, tokens, policy := server.URL, &shortLived{}, insist.Standard()

	tokenized := &oauth2.Transport{Source: tokens, Base: http.DefaultTransport}
	retrying := &insist.RetryTransport{Base: tokenized, Policy: policy}
	cached := httpcache.NewTransport(httpcache.NewMemoryCache())
	cached.Transport = retrying
	client := &http.Client{Transport: cached}

	for range 2 {
		resp, err := client.Get(url)
		if err != nil {
			fmt.Println(err)
			return
		}
		io.Copy(os.Stdout, resp.Body) // the cache keeps what has been read to its end
		resp.Body.Close()
		fmt.Println(" from the cache:", resp.Header.Get(httpcache.XFromCache) == "1")
	}
	for _, a := range api.Arrivals() {
		fmt.Println(a.Header.Get("Authorization"))
	}
	// Output:
	// {"stock": 5} from the cache: false
	// {"stock": 5} from the cache: true
	// Bearer token 1
	// Bearer token 2
}

// A refresh token that is no longer good (invalid_grant) will not be good at the next
// attempt.
func Example_invalidGrant() {
	tokenServer := insisttest.NewScript(insisttest.JSON(400, `{"error": "invalid_grant"}`))
	server := httptest.NewServer(tokenServer)
	defer server.Close()
	config := &oauth2.Config{ClientID: "app", Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInParams}}
	tokens := config.TokenSource(context.Background(), &oauth2.Token{RefreshToken: "revoked"})

	policy := insist.Standard()
	policy.Classify = func(_ *http.Request, _ *http.Response, err error, _ int) (d insist.Decision) {
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode == "invalid_grant" {
			d.Verdict = insist.Stop
		}
		return d
	}
	client := &http.Client{Transport: &insist.RetryTransport{
		Base:   &oauth2.Transport{Source: tokens},
		Policy: policy,
	}}

	_, err := client.Get("http://api.example.com/")
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	fmt.Println(ok && e.ErrorCode == "invalid_grant", "after", len(tokenServer.Arrivals()), "request for a token")
	// Output: true after 1 request for a token
}
