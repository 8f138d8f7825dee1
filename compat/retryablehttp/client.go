package retryablehttp

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

// CheckRetry reports whether an attempt that ended in resp or err is to be
// retried. It gets what the http.Client returned, after redirects, and may read
// or close the body of resp. If it returns an error, the call ends in that one,
// at once or after the last retry that it asks for. ctx is the request's.
type CheckRetry func(ctx context.Context, resp *http.Response, err error) (bool, error)

// Backoff returns the wait before the next attempt. attemptNum counts the retries
// from 0; resp is the last response, nil if there was none. A negative wait counts
// as none, and a longer Retry-After than the wait wins.
type Backoff func(min, max time.Duration, attemptNum int, resp *http.Response) time.Duration

// ErrorHandler decides what a call returns that has failed: RetryMax is used up,
// CheckRetry or PrepareRetry returned an error, or a retry that CheckRetry asked
// for would do harm or come too late. resp is the last response, if there was
// one; closing it becomes the handler's task. numTries is the number of attempts.
type ErrorHandler func(resp *http.Response, err error, numTries int) (*http.Response, error)

// PrepareRetry changes a request before each retry, for example to sign it anew.
// Its body is GetBody's. An error ends the call.
type PrepareRetry func(req *http.Request) error

// RequestLogHook is called before each attempt with the request that will be
// sent, which it may change, and the number of the retry: 0 for the first attempt.
type RequestLogHook func(Logger, *http.Request, int)

// ResponseLogHook is called with the response of each attempt that had one,
// before CheckRetry. It may read or close the body.
type ResponseLogHook func(Logger, *http.Response)

// Client makes HTTP requests and retries them. Make one with NewClient; the zero
// value makes one attempt without waits. It is safe for concurrent use. Its
// fields must not be changed while it is used.
type Client struct {
	// HTTPClient makes the attempts, redirects included; its Timeout bounds each
	// one. If nil, a client with a pool of connections of its own is set when the
	// first request is made.
	HTTPClient *http.Client

	// Logger is a Logger or a LeveledLogger. What is logged has no query, no
	// credentials, no header and no body in it.
	// If nil, or of another type, nothing is logged.
	Logger interface{}

	// RetryWaitMin is the shorter of the two bounds that Backoff gets.
	RetryWaitMin time.Duration

	// RetryWaitMax is the longer of the two bounds that Backoff gets.
	RetryWaitMax time.Duration

	// RetryMax bounds the retries of one call: the attempts are one more.
	// Zero or negative means no retry.
	RetryMax int

	// RequestLogHook is called before each attempt. If nil, none is.
	RequestLogHook RequestLogHook

	// ResponseLogHook is called after each attempt that had a response.
	// If nil, none is.
	ResponseLogHook ResponseLogHook

	// CheckRetry reports which attempts are retried. If nil, DefaultRetryPolicy.
	CheckRetry CheckRetry

	// Backoff gives the waits. If nil, DefaultBackoff.
	Backoff Backoff

	// ErrorHandler decides what a call that has failed returns. If nil, an error
	// that says so, and no response, where RetryMax is used up; the response where
	// a retry was not made for another reason.
	ErrorHandler ErrorHandler

	// PrepareRetry changes the request before each retry. If nil, it is sent as it
	// was.
	PrepareRetry PrepareRetry

	once sync.Once
}

// The defaults of NewClient. One client, for the functions of the package, is
// made when it is first used.
const (
	defaultRetryWaitMin = time.Second
	defaultRetryWaitMax = 30 * time.Second
	defaultRetryMax     = 4
)

var (
	defaultLogger = log.New(os.Stderr, "", log.LstdFlags)
	defaultClient = NewClient()
)

// NewClient returns a Client that makes up to 4 retries by DefaultRetryPolicy and
// DefaultBackoff, with waits of 1 to 30 seconds, logs to the standard error
// output, and finds a dead HTTP/2 connection by pings.
func NewClient() *Client {
	return &Client{
		HTTPClient:   pooledClient(),
		Logger:       defaultLogger,
		RetryWaitMin: defaultRetryWaitMin,
		RetryWaitMax: defaultRetryWaitMax,
		RetryMax:     defaultRetryMax,
		CheckRetry:   DefaultRetryPolicy,
		Backoff:      DefaultBackoff,
	}
}

// A ping is sent on an HTTP/2 connection that has been silent for so long, and
// the connection is closed if no response comes in the same time again. net/http
// sends none by itself, so that requests go down a dead connection until the
// operating system notices.
const silence = 15 * time.Second

func pooledClient() *http.Client {
	t := cleanhttp.DefaultPooledTransport()
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence}
	return &http.Client{Transport: t}
}

// httpClient returns the client that makes the attempts.
func (c *Client) httpClient() *http.Client {
	c.once.Do(func() {
		if c.HTTPClient == nil {
			c.HTTPClient = pooledClient()
		}
	})
	return c.HTTPClient
}

var errNoRequest = errors.New("retryablehttp: no request")

// Do sends req, and retries it as the Client's fields say. The caller closes the
// body of the response.
func (c *Client) Do(req *Request) (*http.Response, error) {
	if req == nil || req.Request == nil {
		return nil, errNoRequest
	}
	return newCall(c, req).do()
}

// Get is Do for a GET.
func (c *Client) Get(url string) (*http.Response, error) {
	return c.do(http.MethodGet, url, "", nil)
}

// Head is Do for a HEAD.
func (c *Client) Head(url string) (*http.Response, error) {
	return c.do(http.MethodHead, url, "", nil)
}

// Post is Do for a POST with this Content-Type. body is as in NewRequest.
func (c *Client) Post(url, bodyType string, body interface{}) (*http.Response, error) {
	return c.do(http.MethodPost, url, bodyType, body)
}

// PostForm is Post with data as a form.
func (c *Client) PostForm(url string, data url.Values) (*http.Response, error) {
	return c.Post(url, "application/x-www-form-urlencoded", strings.NewReader(data.Encode()))
}

func (c *Client) do(method, url, contentType string, body interface{}) (*http.Response, error) {
	req, err := NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", contentType)
	}
	return c.Do(req)
}

// StandardClient returns an http.Client whose requests c makes.
func (c *Client) StandardClient() *http.Client {
	return &http.Client{Transport: &RoundTripper{Client: c}}
}

// Get is Client.Get of a client that all functions of the package share.
func Get(url string) (*http.Response, error) { return defaultClient.Get(url) }

// Head is Client.Head of a client that all functions of the package share.
func Head(url string) (*http.Response, error) { return defaultClient.Head(url) }

// Post is Client.Post of a client that all functions of the package share.
func Post(url, bodyType string, body interface{}) (*http.Response, error) {
	return defaultClient.Post(url, bodyType, body)
}

// PostForm is Client.PostForm of a client that all functions of the package share.
func PostForm(url string, data url.Values) (*http.Response, error) {
	return defaultClient.PostForm(url, data)
}
