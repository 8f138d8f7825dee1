package otelinsist_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/otelinsist"
)

// Each order of the documentation's table.
var orders = []struct {
	name  string
	stack func(traces, meters, http.RoundTripper) http.RoundTripper
	// for 503, no response, 200
	spans    []string
	measured []string // otelhttp's durations
	parents  int      // that the server sees
}{
	{
		"otelhttp and ResendCount below",
		func(tr traces, m meters, base http.RoundTripper) http.RoundTripper {
			return &insist.RetryTransport{Policy: quick(nil), Base: contrib(otelinsist.ResendCount(base), tr, m)}
		},
		[]string{
			"call",
			"HTTP GET < call Error status_code=503 type=503",
			"HTTP GET < call Error resend_count=1 type=syscall.Errno",
			"HTTP GET < call resend_count=2 status_code=200",
		},
		[]string{"status_code=200", "status_code=503", "type=fmt.wrapError"}, 3,
	},
	{
		"Transport below",
		func(_ traces, _ meters, base http.RoundTripper) http.RoundTripper {
			return &insist.RetryTransport{Policy: quick(nil), Base: own(base)}
		},
		[]string{
			"call",
			"GET < call Error status_code=503 type=503",
			"GET < call Error resend_count=1 type=connection_reset",
			"GET < call resend_count=2 status_code=200",
		},
		nil, 3,
	},
	{
		"otelhttp above, Transport below",
		func(tr traces, m meters, base http.RoundTripper) http.RoundTripper {
			return contrib(&insist.RetryTransport{Policy: quick(nil), Base: own(base)}, tr, m)
		},
		[]string{
			"call",
			"HTTP GET < call status_code=200",
			"GET < HTTP GET Error status_code=503 type=503",
			"GET < HTTP GET Error resend_count=1 type=connection_reset",
			"GET < HTTP GET resend_count=2 status_code=200",
		},
		[]string{"status_code=200"}, 3,
	},
	{
		"otelhttp above, ResendCount below",
		func(tr traces, m meters, base http.RoundTripper) http.RoundTripper {
			return contrib(&insist.RetryTransport{Policy: quick(nil), Base: otelinsist.ResendCount(base)}, tr, m)
		},
		[]string{"call", "HTTP GET < call resend_count=2 status_code=200"},
		[]string{"status_code=200"}, 1,
	},
}

// own takes its provider from the span in the context.
func own(base http.RoundTripper) http.RoundTripper {
	return &otelinsist.Transport{Base: base, Propagator: propagation.TraceContext{}}
}

func contrib(base http.RoundTripper, tr traces, m meters) http.RoundTripper {
	return otelhttp.NewTransport(base, otelhttp.WithTracerProvider(tr), otelhttp.WithMeterProvider(m),
		otelhttp.WithPropagators(propagation.TraceContext{}))
}

func TestOrders(t *testing.T) {
	for _, o := range orders {
		t.Run(o.name, func(t *testing.T) {
			traces, meters := newTraces(t), newMeters(t)
			b := play(503, 0, 200)
			call(t, traces, o.stack(traces, meters, b))
			assert.Equal(t, o.spans, traces.lines(semconv.HTTPResponseStatusCodeKey,
				semconv.HTTPRequestResendCountKey, semconv.ErrorTypeKey))

			durations := meters.lines(t, "http.client.request.duration")
			assert.Len(t, durations, len(o.measured))
			for _, want := range o.measured {
				assert.Contains(t, join(durations), want)
			}

			parents := map[string]bool{}
			for _, a := range b.Arrivals() {
				parents[a.Header.Get("Traceparent")] = true
			}
			assert.Len(t, parents, o.parents)
			assert.Len(t, b.Arrivals(), 3)
		})
	}
}

// A download that is resumed has a span for each piece.
func TestResumedDownloads(t *testing.T) {
	first := insisttest.CutAfter(1, insisttest.JSON(200, "[]", "ETag", `"1"`, "Accept-Ranges", "bytes"))
	rest := insisttest.JSON(206, "]", "ETag", `"1"`, "Content-Range", "bytes 1-1/2")
	policy := quick(nil)
	policy.ResumeDownloads = true
	traces := newTraces(t)
	rt := &insist.RetryTransport{Base: own(insisttest.NewScript(first, rest)), Policy: policy}
	ctx, call := traces.Tracer("").Start(t.Context(), "call")
	resp, err := rt.RoundTrip(request(t, ctx, "GET"))
	require.NoError(t, err)
	got, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	assert.Equal(t, "[]", string(got))
	resp.Body.Close()
	call.End()
	assert.Equal(t, []string{
		"call",
		"GET < call Error status_code=200 type=unexpected_eof",
		"GET < call resend_count=1 status_code=206",
	}, traces.lines(semconv.HTTPResponseStatusCodeKey, semconv.HTTPRequestResendCountKey, semconv.ErrorTypeKey))
}

// Many calls at once end as many spans as each alone.
func TestParallelCalls(t *testing.T) {
	const calls = 20
	for _, o := range orders {
		t.Run(o.name, func(t *testing.T) {
			traces, meters := newTraces(t), newMeters(t)
			b := play(200)
			rt := o.stack(traces, meters, b)
			var wg sync.WaitGroup
			for range calls {
				wg.Go(func() { call(t, traces, rt) })
			}
			wg.Wait()
			each := 2 // the call's and otelhttp's, or ours
			if len(o.spans) == 5 {
				each = 3
			}
			assert.Len(t, traces.spans.GetSpans(), calls*each)
		})
	}
}

// call makes a request within a span of the caller's own.
func call(t *testing.T, traces traces, rt http.RoundTripper) {
	ctx, span := traces.Tracer("").Start(context.Background(), "call", trace.WithNewRoot())
	defer span.End()
	if resp, err := rt.RoundTrip(request(t, ctx, "GET")); assert.NoError(t, err) {
		assert.NoError(t, resp.Body.Close())
	}
}
