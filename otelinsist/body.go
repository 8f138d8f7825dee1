package otelinsist

import (
	"io"
	"net/http"

	"go.opentelemetry.io/otel/trace"
)

// body ends the span of the attempt whose response's body it is. A span that has
// ended ignores what comes after.
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

// hasBody reports whether resp has a body that is worth waiting for, and that is
// none of an upgraded connection, to which the caller writes.
func hasBody(req *http.Request, resp *http.Response) bool {
	_, upgraded := resp.Body.(io.Writer)
	return !upgraded && req.Method != http.MethodHead &&
		resp.Body != nil && resp.Body != http.NoBody && resp.ContentLength != 0
}
