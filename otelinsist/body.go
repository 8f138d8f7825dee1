package otelinsist

import (
	"io"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// body is a response's body that ends the span of its attempt. After a span has ended, it
// ignores all calls.
type body struct {
	io.ReadCloser
	span trace.Span
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if err != io.EOF {
			fail(b.span, err)
		}
		b.span.End()
	}
	return n, err
}

func (b *body) Close() error {
	b.span.End() // closing may block
	return b.ReadCloser.Close()
}

// hasBody reports whether resp has a body whose end the span should wait for. An upgraded
// connection, to which the caller also writes, doesn't count.
func hasBody(req *http.Request, resp *http.Response) bool {
	_, upgraded := resp.Body.(io.Writer)
	return !upgraded && req.Method != http.MethodHead &&
		resp.Body != nil && resp.Body != http.NoBody && resp.ContentLength != 0
}
