package retryablehttp

import (
	"net/http"
	"net/url"
	"sync"
)

// RoundTripper is an [http.RoundTripper] whose requests a Client makes. The
// Client's HTTPClient follows redirects, by its own rules and with its own Jar:
// the http.Client around a RoundTripper sees the last response only.
type RoundTripper struct {
	// Client makes the requests. If nil, one of NewClient is set when the first
	// request is made.
	Client *Client

	once sync.Once
}

// RoundTrip sends req by the Client. It returns a response or an error, never
// both, and closes the request's body.
func (rt *RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	rt.once.Do(func() {
		if rt.Client == nil {
			rt.Client = NewClient()
		}
	})
	r, err := FromRequest(req)
	if err != nil {
		return nil, err
	}
	resp, err := rt.Client.Do(r)
	if err == nil {
		return resp, nil
	}
	if resp != nil && resp.Body != nil { // an ErrorHandler's
		resp.Body.Close()
	}
	if wrapped, ok := err.(*url.Error); ok {
		err = wrapped.Err // the http.Client around us adds its own
	}
	return nil, err
}
