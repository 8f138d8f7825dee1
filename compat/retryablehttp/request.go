package retryablehttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// ReaderFunc returns the request body from its start. It is called once by
// NewRequest, which closes what it returns if that has a Close method, and once
// for each attempt, and for each redirect that needs the body.
type ReaderFunc func() (io.Reader, error)

// LenReader is a reader that knows how much is left of it. The request then says
// the body's length.
type LenReader interface {
	Len() int
}

// ResponseHandlerFunc does something with the response that CheckRetry has
// accepted, for example reads it; the caller or it closes the body. If it returns
// an error, CheckRetry is asked again, with that error, and the whole request may
// be retried, by the same rules as after a lost response.
type ResponseHandlerFunc func(*http.Response) error

// Request is an http.Request whose body can be sent again.
type Request struct {
	// nil if the embedded request's own body counts
	body            *body
	responseHandler ResponseHandlerFunc

	*http.Request
}

// NewRequest is NewRequestWithContext with context.Background.
func NewRequest(method, url string, rawBody interface{}) (*Request, error) {
	return NewRequestWithContext(context.Background(), method, url, rawBody)
}

// NewRequestWithContext returns a request whose body is rawBody, which is one of
//
//   - nil: no body;
//   - ReaderFunc or func() (io.Reader, error): called for each attempt;
//   - []byte, *bytes.Buffer, *bytes.Reader, *strings.Reader: what is left of it,
//     without a copy;
//   - io.ReadSeeker, such as an *os.File: sent from its start, and left open;
//   - io.Reader: read into memory, but for one longer than MaxBufferedBytes.
//
// ctx holds for the call with all its attempts and waits, and for the reading of
// the response.
func NewRequestWithContext(ctx context.Context, method, url string, rawBody interface{}) (*Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	r := &Request{Request: req}
	if err := r.SetBody(rawBody); err != nil {
		return nil, err
	}
	return r, nil
}

// FromRequest returns a Request that sends r, with r's body and GetBody. A body
// that can be read only once and has no ContentLength is read into memory, but for
// one longer than MaxBufferedBytes. If FromRequest returns an error, the body has
// been closed.
func FromRequest(r *http.Request) (*Request, error) {
	if r == nil {
		return nil, errNoRequest
	}
	b, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	return &Request{body: b, Request: r}, nil
}

// SetBody sets the body; see NewRequestWithContext. If it returns an error, so do
// all calls with this Request, until another body is set: SDKs ignore that error,
// and a request without its body may do harm.
func (r *Request) SetBody(rawBody interface{}) error {
	b, err := newBody(rawBody)
	if err != nil {
		b = &body{length: -1, open: func() (io.ReadCloser, error) { return nil, err }}
	}
	r.body, r.Body, r.ContentLength = b, nil, max(0, b.length)
	r.GetBody = b.reopen
	return err
}

// SetResponseHandler sets the function that is called with the response.
func (r *Request) SetResponseHandler(fn ResponseHandlerFunc) { r.responseHandler = fn }

// WithContext returns a copy of r with this context.
func (r *Request) WithContext(ctx context.Context) *Request {
	c := *r
	c.Request = r.Request.WithContext(ctx)
	return &c
}

// BodyBytes returns a copy of the body, nil if there is none. A body that can be
// read only once is read into memory. It must not be called while r is sent.
func (r *Request) BodyBytes() ([]byte, error) {
	if r.body == nil || r.body.empty {
		return nil, nil
	}
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		return nil, err
	}
	return append([]byte{}, b.Bytes()...), nil
}

// WriteTo writes the body to w. It reads a body that can be read only once into
// memory first. It must not be called while r is sent.
func (r *Request) WriteTo(w io.Writer) (int64, error) {
	if r.body == nil {
		return 0, nil
	}
	from, err := r.body.copy()
	if err != nil {
		return 0, err
	}
	defer from.Close()
	return io.Copy(w, from)
}

// outgoing returns the request to be sent, a copy of the embedded one with the
// body from its start.
func (r *Request) outgoing() (*http.Request, error) {
	out := *r.Request
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	b, err := r.source(&out)
	if err != nil || b == nil {
		return &out, err
	}
	if out.Body, err = b.start(); err != nil {
		return nil, err
	}
	if out.GetBody = b.open; out.ContentLength <= 0 && b.length > 0 {
		out.ContentLength = b.length
	}
	return &out, nil
}

// source returns where the body of out, a copy of the embedded request, comes
// from. It is nil if there is none.
func (r *Request) source(out *http.Request) (*body, error) {
	if r.body != nil && !(r.body.empty && out.Body != nil) {
		return r.body, nil
	}
	// Set in the embedded request by hand, maybe without a GetBody.
	if r.body != nil && out.GetBody != nil {
		switch from, err := out.GetBody(); {
		case err == nil && from == http.NoBody:
			out.GetBody = nil
		case err == nil:
			from.Close()
		}
	}
	return bodyOf(out)
}
