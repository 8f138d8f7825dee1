package sdks

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/digitalocean/godo"
	"github.com/hashicorp/go-retryablehttp"
	vault "github.com/hashicorp/vault/api"
	gitlab "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/oauth2"
)

// sdk is an SDK as a scenario uses it: with the SDK's own settings, but for the
// waits, which have no jitter, so that each run takes the same time.
type sdk struct {
	get    func(context.Context) error
	create func(context.Context) error // by a POST
	upload func(context.Context, io.Reader) error
}

const address = "http://example.com"

// sdks make a client each. configure is given the transport that it will use.
// attempt, if not zero, bounds each attempt.
var sdks = map[string]func(configure func(*http.Transport), attempt time.Duration) (sdk, error){
	"gitlab client-go": newGitLab,
	"vault api":        newVault,
	"godo":             newGodo,
}

func newGitLab(configure func(*http.Transport), attempt time.Duration) (sdk, error) {
	transport := new(http.Transport)
	configure(transport)
	c, err := gitlab.NewClient("token",
		gitlab.WithBaseURL(address),
		gitlab.WithHTTPClient(&http.Client{Transport: transport, Timeout: attempt}),
		gitlab.WithCustomBackoff(retryablehttp.RateLimitLinearJitterBackoff),
		gitlab.WithCustomRetryWaitMinMax(time.Second, time.Second))
	if err != nil {
		return sdk{}, err
	}
	return sdk{
		get: func(ctx context.Context) error {
			_, _, err := c.Version.GetVersion(gitlab.WithContext(ctx))
			return err
		},
		create: func(ctx context.Context) error {
			_, _, err := c.Issues.CreateIssue(1, &gitlab.CreateIssueOptions{Title: gitlab.Ptr("title")}, gitlab.WithContext(ctx))
			return err
		},
		upload: func(ctx context.Context, content io.Reader) error {
			_, _, err := c.GenericPackages.PublishPackageFile(1, "package", "1", "file", content, nil, gitlab.WithContext(ctx))
			return err
		},
	}, nil
}

func newVault(configure func(*http.Transport), attempt time.Duration) (sdk, error) {
	transport := new(http.Transport)
	configure(transport)
	config := vault.DefaultConfig()
	config.Address = address
	config.HttpClient = &http.Client{Transport: transport, Timeout: attempt}
	config.MinRetryWait, config.MaxRetryWait = time.Second, time.Second
	c, err := vault.NewClient(config)
	if err != nil {
		return sdk{}, err
	}
	c.SetToken("token")
	return sdk{
		get: func(ctx context.Context) error {
			_, err := c.Logical().ReadWithContext(ctx, "secret/name")
			return err
		},
		create: func(ctx context.Context) error {
			_, err := c.Auth().Token().CreateWithContext(ctx, &vault.TokenCreateRequest{})
			return err
		},
	}, nil
}

func newGodo(configure func(*http.Transport), attempt time.Duration) (sdk, error) {
	wait := 1.0
	authorized := oauth2.NewClient(context.Background(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"}))
	authorized.Timeout = attempt
	c, err := godo.New(authorized, godo.SetBaseURL(address),
		godo.WithRetryAndBackoffs(godo.RetryConfig{RetryMax: 4, RetryWaitMin: &wait, RetryWaitMax: &wait}))
	if err != nil {
		return sdk{}, err
	}
	// Its transport is go-retryablehttp's own.
	retrying := c.HTTPClient.Transport.(*oauth2.Transport).Base.(*retryablehttp.RoundTripper)
	configure(retrying.Client.HTTPClient.Transport.(*http.Transport))
	return sdk{
		get: func(ctx context.Context) error {
			_, _, err := c.Droplets.Get(ctx, 1)
			return err
		},
		create: func(ctx context.Context) error {
			_, _, err := c.Droplets.Create(ctx, &godo.DropletCreateRequest{Name: "name"})
			return err
		},
	}, nil
}
