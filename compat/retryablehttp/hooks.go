package retryablehttp

import (
	"io"
	"net/http"
)

// outgoing returns the request of an attempt as it is sent: a copy of out, which
// RequestLogHook may have changed. If it returns an error, out's body is still to
// be closed.
func (c *call) outgoing(out *http.Request) (sent *http.Request, err error) {
	sent = out.WithContext(out.Context())
	sent.RequestURI = "" // a server's request has one, and http.Client refuses it
	replaced := false
	if hook := c.client.RequestLogHook; hook != nil {
		sent, replaced = c.show(sent, hook)
	}
	if c.touched && !replaced && hasBody(out) {
		again := out.GetBody
		if again == nil {
			again = c.getBody
		}
		sent.Body, err = again()
	}
	c.touched = false
	if c.http.Jar != nil { // cookies would be added to the headers of all attempts
		sent.Header = sent.Header.Clone()
	}
	return sent, err
}

// show calls RequestLogHook. The request that it gets has the caller's context,
// so that one that it makes of that (as httputil.DumpRequestOut does) is not taken
// for the attempt. replaced reports whether the hook has set another body.
func (c *call) show(out *http.Request, hook RequestLogHook) (sent *http.Request, replaced bool) {
	seen, shown := c.copy(out), &hookBody{out.Body, c}
	if hasBody(out) {
		seen.Body = shown
	}
	hook(c.log.hooks(), seen, c.tries)
	c.hooked = seen
	sent = seen
	if seen.Context() == c.ctx {
		sent = seen.WithContext(out.Context())
	}
	if hasBody(seen) && seen.Body != shown {
		return sent, true
	}
	sent.Body, sent.GetBody = out.Body, out.GetBody
	return sent, false
}

// prepare changes the request of a retry: it starts as the hooks have left the
// last attempt's, and PrepareRetry may change it further.
func (c *call) prepare(out *http.Request) error {
	next := c.request.Request
	if c.hooked != nil {
		next = c.hooked
	}
	next = c.copy(next)
	if prepare := c.client.PrepareRetry; prepare != nil {
		if next.Body != nil {
			next.Body = http.NoBody
		}
		if err := prepare(next); err != nil {
			c.prepareErr = err
			return err
		}
		kept := *next // as the caller may see it
		kept.Body, kept.GetBody = c.request.Body, c.request.GetBody
		c.request.Request = &kept
	}
	_, expects := out.Header["Expect"]
	out.Method, out.Host, out.URL, out.Header = next.Method, next.Host, next.URL, next.Header.Clone()
	if !expects { // the server refused it
		out.Header.Del("Expect")
	}
	return nil
}

// copy returns a copy of r for a hook, under the caller's context and with a
// GetBody whose bodies are not those of the attempt.
func (c *call) copy(r *http.Request) *http.Request {
	p := r.WithContext(c.ctx)
	p.Header = p.Header.Clone()
	if p.URL != nil {
		u := *p.URL
		p.URL = &u
	}
	p.GetBody = c.getBody
	return p
}

// getBody is the GetBody of requests that hooks see. It may rewind the reader that
// the attempt has been given, so that one needs a new one.
func (c *call) getBody() (io.ReadCloser, error) {
	switch {
	case !hasBody(c.first):
		return http.NoBody, nil
	case c.first.GetBody == nil:
		return nil, errOnce
	}
	c.touched = true
	return c.first.GetBody()
}

// hookBody is the body of an attempt as a hook sees it. If the hook reads or
// closes it, the attempt needs a new one.
type hookBody struct {
	io.ReadCloser
	call *call
}

func (b *hookBody) Read(p []byte) (int, error) {
	b.call.touched = true
	return b.ReadCloser.Read(p)
}

func (b *hookBody) Close() error {
	b.call.touched = true
	return b.ReadCloser.Close()
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }
