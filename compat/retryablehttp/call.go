package retryablehttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"
)

// call is one Client.Do. It is the RoundTripper that makes the engine's attempts,
// each by the http.Client.
type call struct {
	client  *Client
	http    *http.Client
	request *Request
	ctx     context.Context
	check   CheckRetry
	backoff Backoff
	log     logger

	first      *http.Request
	hooked     *http.Request // as the hooks have left it; nil if there are none
	tries      int
	last       outcome
	touched    bool // a hook has had a reader of the body
	over       bool // what is sent from now on resumes a download
	prepareErr error
}

// outcome is what an attempt came to.
type outcome struct {
	resp     *http.Response // with err, where a redirect was refused
	sent     *http.Request  // of resp: the last one after redirects
	err      error          // the http.Client's, or the response handler's
	bare     error          // err as the engine sees it, nil if that is resp
	retry    bool           // CheckRetry asks for another attempt
	checkErr error          // CheckRetry's own
}

func newCall(c *Client, r *Request) *call {
	k := &call{
		client: c, http: c.httpClient(), request: r, ctx: r.Context(),
		check: c.CheckRetry, backoff: c.Backoff, log: loggerOf(c.Logger),
	}
	if k.check == nil {
		k.check = DefaultRetryPolicy
	}
	if k.backoff == nil {
		k.backoff = DefaultBackoff
	}
	return k
}

func (c *call) do() (*http.Response, error) {
	var err error
	if c.first, err = c.request.outgoing(); err != nil {
		return nil, err
	}
	resp, err := c.exchange(c.first)
	c.over = true
	if resp != nil && c.last.sent != nil {
		resp.Request = c.visible(c.last.sent)
	}
	return c.finish(resp, err)
}

// visible returns a request of the last attempt as the caller may see it: under his
// own context, and with his own body.
func (c *call) visible(r *http.Request) *http.Request {
	s := r.WithContext(c.ctx)
	if hasBody(s) {
		s.Body, s.GetBody = c.first.Body, c.first.GetBody
	}
	return s
}

// RoundTrip makes one attempt.
func (c *call) RoundTrip(out *http.Request) (*http.Response, error) {
	sent, err := c.outgoing(out)
	c.tries++
	if err != nil { // of GetBody
		out.Body.Close()
		c.last = outcome{err: err, bare: err}
		return nil, err
	}
	if c.log.on() && c.tries == 1 {
		c.log.performing(sent)
	}
	resp, err := c.http.Do(sent)
	judged := false
	defer func() {
		if !judged && resp != nil && resp.Body != nil { // a hook has panicked
			resp.Body.Close()
		}
	}()
	c.judge(sent, resp, err)
	judged = true
	if c.last.bare != nil {
		return nil, c.last.bare
	}
	return resp, nil
}

// judge asks CheckRetry about an attempt, and the response handler before it
// asks again.
func (c *call) judge(sent *http.Request, resp *http.Response, err error) {
	c.last = outcome{resp: resp, err: err, bare: err}
	if resp != nil {
		c.last.sent = resp.Request
	}
	if wrapped, ok := err.(*url.Error); ok && wrapped.Err != nil {
		c.last.bare = wrapped.Err // the engine knows net/http's errors
	}
	switch hook := c.client.ResponseLogHook; {
	case err != nil && c.log.on():
		c.log.failed(sent, err)
	case err == nil && hook != nil:
		hook(c.log.hooks(), resp)
	}
	c.last.retry, c.last.checkErr = c.check(c.ctx, resp, err)
	handle := c.request.responseHandler
	if handle == nil || c.over || err != nil || c.last.retry || c.last.checkErr != nil {
		return
	}
	c.last.err = handle(resp)
	c.last.retry, c.last.checkErr = c.check(c.ctx, resp, c.last.err)
}

// wait is the Backoff before the next attempt.
func (c *call) wait(failed int) time.Duration {
	return c.backoff(c.client.RetryWaitMin, c.client.RetryWaitMax, failed-1, c.last.resp)
}

// finish makes of the engine's result what Do returns.
func (c *call) finish(resp *http.Response, err error) (*http.Response, error) {
	cause, last := c.last.err, resp
	if last == nil {
		last = c.last.resp // closed
	}
	switch why, own := c.ended(err); {
	case own && why == nil:
		return nil, cmp.Or(c.ctx.Err(), err)
	case own:
		cause = why
	case err != nil && c.last.bare == nil, err != nil && !same(err, c.last.bare):
		cause = err // of the request's body
	}
	if c.last.checkErr != nil && c.prepareErr == nil {
		cause = c.last.checkErr
	}
	if cause == nil && !c.last.retry {
		return resp, nil
	}
	if handler := c.client.ErrorHandler; handler != nil {
		return handler(last, cause, c.tries)
	}
	if cause == nil && c.tries <= c.client.RetryMax && resp != nil {
		return resp, nil // a retry would do harm, or come too late
	}
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	return nil, &gaveUp{method: c.first.Method, url: redactURL(c.first.URL), tries: c.tries, err: cause}
}

// same reports whether two errors are the same one, where == would panic, too.
func same(a, b error) bool {
	return !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() || a == b
}

// gaveUp says that a call has failed. Its text has no query and no credentials.
type gaveUp struct {
	method, url string
	tries       int
	err         error
}

func (e *gaveUp) Error() string {
	text := fmt.Sprintf("%s %s giving up after %d attempt(s)", cmp.Or(e.method, http.MethodGet), e.url, e.tries)
	if e.err != nil {
		text += ": " + redactError(e.err)
	}
	return text
}

func (e *gaveUp) Unwrap() error { return e.err }

// Timeout reports whether the last attempt failed since its time was over.
func (e *gaveUp) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && t.Timeout()
}
