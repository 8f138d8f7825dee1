package otelinsist_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/otelinsist"
)

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		steps  []int
		want   []string
	}{
		{"success at once", "GET", []int{200}, []string{"GET < call status_code=200"}},
		{"retries", "PUT", []int{503, 0, 200}, []string{
			"PUT < call Error status_code=503 type=503",
			"PUT < call Error resend_count=1 type=connection_reset",
			"PUT < call resend_count=2 status_code=200",
		}},
		{"attempts_used_up", "GET", []int{404}, []string{
			"GET < call Error status_code=404 type=404",
			"GET < call Error resend_count=1 status_code=404 type=404",
			"GET < call Error resend_count=2 status_code=404 type=404",
		}},
		{"a response that was lost", "POST", []int{0}, []string{"POST < call Error type=connection_reset"}},
		{"a method of its own", "BREW", []int{200}, []string{"HTTP < call method_original=BREW status_code=200"}},
		{"redirect", "GET", []int{302}, []string{"GET < call status_code=302"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			traces := newTraces(t)
			rt := &insist.RetryTransport{Base: &otelinsist.Transport{Base: play(c.steps...)}, Policy: quick(nil)}
			ctx, call := traces.Tracer("").Start(t.Context(), "call")
			if resp, err := rt.RoundTrip(request(t, ctx, c.method)); err == nil {
				resp.Body.Close()
			}
			call.End()
			assert.Equal(t, append([]string{"call"}, c.want...), traces.lines(semconv.HTTPResponseStatusCodeKey,
				semconv.HTTPRequestResendCountKey, semconv.ErrorTypeKey, semconv.HTTPRequestMethodOriginalKey))
		})
	}
}

// Attributes and kind of a span, and that nothing secret is in it.
func TestSpanAttributes(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"plain", "http://example.com/items", "address=example.com port=80 method=GET full=http://example.com/items status_code=200 version=1.1"},
		{"port", "https://example.com:8443", "address=example.com port=8443 method=GET full=https://example.com:8443 status_code=200 version=1.1"},
		{"IPv6, https", "https://[::1]/", "address=::1 port=443 method=GET full=https://[::1]/ status_code=200 version=1.1"},
		{"secrets", "http://secret:secret@x/p?sig=secret&b#secret", "address=x port=80 method=GET full=http://REDACTED:REDACTED@x/p?REDACTED status_code=200 version=1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			traces := newTraces(t)
			req := request(t, t.Context(), "")
			req.URL, _ = url.Parse(c.url)
			resp, err := (&otelinsist.Transport{Base: play(200), TracerProvider: traces}).RoundTrip(req)
			require.NoError(t, err)
			resp.Body.Close()
			span := traces.spans.GetSpans()[0]
			assert.Equal(t, oteltrace.SpanKindClient, span.SpanKind)
			var keys []string
			for _, kv := range span.Attributes {
				key := string(kv.Key)
				keys = append(keys, key[strings.LastIndexByte(key, '.')+1:]+"="+kv.Value.String())
			}
			assert.Equal(t, c.want, strings.Join(keys, " "))
		})
	}
}

// The caller's request stays as it is, and the response says that it was sent.
func TestRequestIsNotChanged(t *testing.T) {
	traces := newTraces(t)
	rt := &otelinsist.Transport{
		Base: play(200), TracerProvider: traces, Propagator: propagation.TraceContext{},
	}
	req := request(t, t.Context(), "GET")
	before := *req
	before.Header = req.Header.Clone()
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Same(t, req, resp.Request)
	assert.Equal(t, before, *req)
}

// A server sees each attempt under a parent of its own.
func TestPropagation(t *testing.T) {
	traces := newTraces(t)
	b := play(503, 200)
	rt := &insist.RetryTransport{
		Base:   &otelinsist.Transport{Base: b, TracerProvider: traces, Propagator: propagation.TraceContext{}},
		Policy: quick(nil),
	}
	resp, err := rt.RoundTrip(request(t, t.Context(), "GET"))
	require.NoError(t, err)
	resp.Body.Close()
	for i, span := range traces.spans.GetSpans() {
		sent := propagation.TraceContext{}.Extract(t.Context(), propagation.HeaderCarrier(b.Arrivals()[i].Header))
		assert.Equal(t, span.SpanContext.SpanID(), oteltrace.SpanContextFromContext(sent).SpanID())
	}
	assert.Len(t, b.Arrivals(), 2)
}

// What is not sampled costs no wrapper, but is told to the server all the same.
func TestNotSampled(t *testing.T) {
	provider := trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()))
	b := play(200)
	rt := &otelinsist.Transport{Base: b, TracerProvider: provider, Propagator: propagation.TraceContext{}}
	resp, err := rt.RoundTrip(request(t, t.Context(), "GET"))
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.IsType(t, new(insisttest.Body), resp.Body)
	assert.NotEmpty(t, b.Arrivals()[0].Header.Get("Traceparent"))
}

// idle is a base that can close its idle connections.
type idle struct {
	*insisttest.Script
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

func TestWrapper(t *testing.T) {
	b := new(idle)
	for _, rt := range []http.RoundTripper{&otelinsist.Transport{Base: b}, otelinsist.ResendCount(b)} {
		b.closed = 0
		client := &http.Client{Transport: &insist.RetryTransport{Base: rt}}
		client.CloseIdleConnections()
		assert.Equal(t, 1, b.closed)
		assert.Same(t, b, rt.(interface{ WrappedRoundTripper() http.RoundTripper }).WrappedRoundTripper())
	}
	assert.Same(t, new(insist.RetryTransport).WrappedRoundTripper(), new(otelinsist.Transport).WrappedRoundTripper())
	(&otelinsist.Transport{Base: play()}).CloseIdleConnections() // has none
}

// A RetryTransport further below yields, as without a wrapper.
func TestNestedRetries(t *testing.T) {
	b := play(503)
	inner := &insist.RetryTransport{Base: b, Policy: quick(nil)}
	for _, rt := range []http.RoundTripper{own(inner), otelinsist.ResendCount(inner)} {
		before := len(b.Arrivals())
		resp, err := (&insist.RetryTransport{Base: rt, Policy: quick(nil)}).RoundTrip(request(t, t.Context(), "GET"))
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 3, len(b.Arrivals())-before)
	}
}

// A request that net/http refuses is refused by the base.
func TestMalformedRequest(t *testing.T) {
	refused := errors.New("refused")
	rt := &otelinsist.Transport{
		Base:           answers(func(*http.Request) (*http.Response, error) { return nil, refused }),
		TracerProvider: newTraces(t), Propagator: propagation.TraceContext{},
	}
	for _, req := range []*http.Request{{}, {URL: new(url.URL)}, {Header: http.Header{}}} {
		_, err := rt.RoundTrip(req)
		assert.Equal(t, refused, err)
	}
}

// The provider of the span in the context is used where none is given.
func TestProviderOfTheContext(t *testing.T) {
	traces := newTraces(t)
	rt := &otelinsist.Transport{Base: play(200)}
	ctx, call := traces.Tracer("").Start(context.Background(), "call")
	resp, err := rt.RoundTrip(request(t, ctx, "GET"))
	require.NoError(t, err)
	resp.Body.Close()
	call.End()
	assert.Equal(t, []string{"call", "GET < call"}, traces.lines())
}
