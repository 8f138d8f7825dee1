package otelinsist_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/otelinsist"
	"github.com/seed-552c89fc/insist/sloginsist"
)

// exampleServer answers 503 once, and 200 from then on.
func exampleServer() *httptest.Server {
	var answered atomic.Bool
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !answered.Swap(true) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, "ok")
	}))
}

var examplePolicy = insist.Policy{Backoff: insist.Constant(time.Millisecond)}

// printSpans prints what a backend would get.
func printSpans(exported *tracetest.InMemoryExporter) {
	for _, s := range exported.GetSpans() {
		fmt.Print(s.Name)
		for _, kv := range s.Attributes {
			switch kv.Key {
			case "http.request.resend_count", "http.response.status_code", "error.type":
				fmt.Printf(" %s=%s", kv.Key, kv.Value.String())
			}
		}
		fmt.Println()
	}
}

// Both metrics and spans, of the global providers.
func Example() {
	server := exampleServer()
	defer server.Close()

	policy := insist.Standard()
	policy.OnAttempt = otelinsist.Metrics(nil)
	client := &http.Client{Transport: &insist.RetryTransport{
		Base:   &otelinsist.Transport{},
		Policy: policy,
	}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A span for each attempt, without otelhttp.
func ExampleTransport() {
	server := exampleServer()
	defer server.Close()
	exported := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exported))

	client := &http.Client{Transport: &insist.RetryTransport{
		Base:   &otelinsist.Transport{TracerProvider: provider}, // or none: the global one
		Policy: examplePolicy,
	}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	printSpans(exported)
	// Output:
	// GET http.response.status_code=503 error.type=503
	// GET http.request.resend_count=1 http.response.status_code=200
}

// A span for each attempt, of otelhttp's making.
func ExampleResendCount() {
	server := exampleServer()
	defer server.Close()
	exported := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exported))

	base := otelinsist.ResendCount(nil)
	client := &http.Client{Transport: &insist.RetryTransport{
		Base:   otelhttp.NewTransport(base, otelhttp.WithTracerProvider(provider)),
		Policy: examplePolicy,
	}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	printSpans(exported)
	// Output:
	// HTTP GET http.response.status_code=503 error.type=503
	// HTTP GET http.request.resend_count=1 http.response.status_code=200
}

// Prometheus gets the metrics from OpenTelemetry's exporter.
func ExampleMetrics_prometheus() {
	server := exampleServer()
	defer server.Close()

	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		fmt.Println(err)
		return
	}
	provider := metric.NewMeterProvider(metric.WithReader(reader))

	policy := examplePolicy
	policy.OnAttempt = otelinsist.Metrics(provider)
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	port := strings.TrimPrefix(server.URL, "http://127.0.0.1:")
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "insist_") && !strings.Contains(line, "retry_wait") {
			fmt.Print(strings.ReplaceAll(line, port, "80"))
		}
	}
	// Output:
	// insist_attempts_total{http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1",server_port="80"} 1
	// insist_attempts_total{error_type="503",http_request_method="GET",http_response_status_code="503",server_address="127.0.0.1",server_port="80"} 1
	// insist_retries_total{http_request_method="GET",insist_reason="status",server_address="127.0.0.1",server_port="80"} 1
}

// Metrics and a log: a function calls both.
func ExampleMetrics_andLog() {
	server := exampleServer()
	defer server.Close()

	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "duration", "host":
				return slog.Attr{} // differ from run to run
			}
			return a
		},
	}))

	count, log := otelinsist.Metrics(nil), sloginsist.Hook{Logger: logger}
	policy := examplePolicy
	policy.OnAttempt = func(ctx context.Context, a insist.Attempt) {
		count(ctx, a)
		log.OnAttempt(ctx, a)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// level=INFO msg="insist: retrying" attempt=1 method=GET status=503 wait=1ms reason=status
	// 200 OK
}
