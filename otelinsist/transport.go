package otelinsist

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
)

// Transport is an [http.RoundTripper] that makes a client span for each request. Set it as
// the Base of a RetryTransport: each attempt gets a span whose parent is the span in the
// request's context, and a traceparent header of its own. If otelhttp is below the
// RetryTransport, use [ResendCount] instead.
//
// Names, attributes and status follow the semantic conventions for HTTP client spans. In
// url.full, the query, user and password are replaced by REDACTED. Errors are named by
// their class only, see insist.Attempt.Class.
//
// The span ends as otelhttp's does: at an error, or when the response's body was read to
// its end or closed. For an upgraded connection (101) the span ends with the head, and the
// body is not wrapped.
//
// The zero value is ready for use. A Transport is safe for concurrent use; its
// fields must not be changed while it is used.
type Transport struct {
	// Base sends the requests.
	// If nil, the pooled transport that a RetryTransport without a Base uses.
	Base http.RoundTripper

	// TracerProvider makes the spans. If nil, the provider of the span in the request's
	// context or, if there is no such span, the global one.
	TracerProvider trace.TracerProvider

	// Propagator writes the span into the headers of the request.
	// If nil, the global one, which does nothing until it is set.
	Propagator propagation.TextMapPropagator
}

// WrappedRoundTripper returns the RoundTripper that sends the requests. A RetryTransport
// calls it to find net/http's transport below a wrapper.
func (t *Transport) WrappedRoundTripper() http.RoundTripper {
	if t.Base == nil {
		return new(insist.RetryTransport).WrappedRoundTripper()
	}
	return t.Base
}

// CloseIdleConnections closes the base's idle connections, if the base supports that. If
// Base is nil, these connections are shared.
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

// start starts the span of req. It sets the attributes at the start, since samplers use
// them.
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

// ResendCount returns an [http.RoundTripper] that sets http.request.resend_count on the
// span in the request's context, from the second attempt on. If otelhttp is below a
// RetryTransport, set it as the base of otelhttp:
//
//	&insist.RetryTransport{Base: otelhttp.NewTransport(otelinsist.ResendCount(base))}
//
// If base is nil, the pooled transport that a RetryTransport without a Base uses.
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
