package otelinsist

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
)

// Transport is an [http.RoundTripper] that makes a client span of each request.
// Set it as the Base of a RetryTransport: each attempt gets a span under the one
// in the request's context, and a traceparent header of its own. Where otelhttp
// stands below the RetryTransport use [ResendCount] instead.
//
// Names, attributes and status follow the semantic conventions for HTTP client
// spans. In url.full a query is replaced by REDACTED, and so are user and
// password. Errors are named by their class only, see insist.Attempt.Class.
//
// The span ends as otelhttp's does: with an error, or when the response's body
// was read to its end or closed. That of an upgraded connection (101) ends with
// the head, and its body is not wrapped.
//
// The zero value is ready for use. A Transport is safe for concurrent use; its
// fields must not be changed while it is used.
type Transport struct {
	// Base sends the requests.
	// If nil, the pooled transport that a RetryTransport without a Base has.
	Base http.RoundTripper

	// TracerProvider makes the spans. If nil, the provider of the span in the
	// request's context, or the global one where there is none.
	TracerProvider trace.TracerProvider

	// Propagator writes the span into the headers of the request.
	// If nil, the global one, which does nothing until it is set.
	Propagator propagation.TextMapPropagator
}

// WrappedRoundTripper returns the RoundTripper that sends the requests. By this
// name a RetryTransport looks through a wrapper.
func (t *Transport) WrappedRoundTripper() http.RoundTripper {
	if t.Base == nil {
		return new(insist.RetryTransport).WrappedRoundTripper()
	}
	return t.Base
}

// CloseIdleConnections closes the base's idle connections, if it can. With a nil
// Base those are shared.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.WrappedRoundTripper().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip sends a copy of req within a span.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.WrappedRoundTripper()
	if req.URL == nil || req.Header == nil {
		return base.RoundTrip(req) // which says what is wrong with it
	}
	ctx, span := t.start(req)
	open := false // beyond this call
	defer func() {
		if !open {
			span.End()
		}
	}()
	out := req.WithContext(ctx)
	out.Header = req.Header.Clone()
	t.propagator().Inject(ctx, propagation.HeaderCarrier(out.Header))

	resp, err := base.RoundTrip(out)
	if err != nil {
		fail(span, explained(ctx, err))
	}
	if err != nil || resp == nil {
		return resp, err
	}
	span.SetAttributes(responseAttributes(resp)...)
	span.SetStatus(status(resp.StatusCode), "")
	if r := resp.Request; r != nil && r.URL == out.URL && r.Context() == ctx {
		resp.Request = req // as without us
	}
	if span.IsRecording() && hasBody(req, resp) {
		open = true
		resp.Body = &body{resp.Body, span}
	}
	return resp, nil
}

// start begins the span of req. Its attributes are there at once, since samplers
// decide by them.
func (t *Transport) start(req *http.Request) (context.Context, trace.Span) {
	ctx := req.Context()
	attrs := requestAttributes(req)
	if n := insist.AttemptNumber(ctx); n > 1 {
		attrs = append(attrs, resendCount(n))
	}
	return t.tracer(ctx).Start(ctx, spanName(req),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

func (t *Transport) tracer(ctx context.Context) trace.Tracer {
	provider := t.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
		if span := trace.SpanFromContext(ctx); span.SpanContext().IsValid() {
			provider = span.TracerProvider()
		}
	}
	return provider.Tracer(scope)
}

func (t *Transport) propagator() propagation.TextMapPropagator {
	if t.Propagator == nil {
		return otel.GetTextMapPropagator()
	}
	return t.Propagator
}

// ResendCount returns an [http.RoundTripper] that sets http.request.resend_count
// on the span in the request's context, from the second attempt on. Set it as
// the base of otelhttp, where that stands below a RetryTransport:
//
//	&insist.RetryTransport{Base: otelhttp.NewTransport(otelinsist.ResendCount(base))}
//
// If base is nil, it is the pooled transport that a RetryTransport without a Base
// has.
func ResendCount(base http.RoundTripper) http.RoundTripper {
	return &counting{Transport{Base: base}}
}

// counting is a Transport without spans of its own.
type counting struct{ Transport }

func (t *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if n := insist.AttemptNumber(req.Context()); n > 1 {
		trace.SpanFromContext(req.Context()).SetAttributes(resendCount(n))
	}
	return t.WrappedRoundTripper().RoundTrip(req)
}
