package otelinsist_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// errReset has a query in its text, which must not get out.
var errReset = fmt.Errorf("GET http://x/?token=secret: %w", syscall.ECONNRESET)

// play is a base that answers with these statuses, and goes on with the last one.
// Status 0 is errReset.
func play(statuses ...int) *insisttest.Script {
	var steps []insisttest.Step
	for _, status := range statuses {
		step := insisttest.Status(status)
		if status == 0 {
			step = func(*http.Request) (*http.Response, error) { return nil, errReset }
		}
		steps = append(steps, step)
	}
	return insisttest.NewScript(steps...)
}

// traces is a provider of spans that a test looks at.
type traces struct {
	*trace.TracerProvider
	spans *tracetest.InMemoryExporter
}

func newTraces(t *testing.T) traces {
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	return traces{provider, spans}
}

// lines describes the spans in the order in which they began, each with its
// parent, status and what of its attributes is asked for.
func (tr traces) lines(keys ...attribute.Key) (lines []string) {
	spans := tr.spans.GetSpans()
	names := map[oteltrace.SpanID]string{}
	for _, s := range spans {
		names[s.SpanContext.SpanID()] = s.Name
	}
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	for _, s := range spans {
		line := s.Name
		if s.Parent.IsValid() {
			line += " < " + names[s.Parent.SpanID()]
		}
		if s.Status.Code != codes.Unset {
			line += " " + s.Status.Code.String()
		}
		for _, kv := range s.Attributes {
			if slices.Contains(keys, kv.Key) {
				line += fmt.Sprintf(" %s=%s", kv.Key[strings.LastIndexByte(string(kv.Key), '.')+1:], kv.Value.String())
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// meters is a provider of metrics that a test looks at.
type meters struct {
	*metric.MeterProvider
	reader *metric.ManualReader
}

func newMeters(t *testing.T) meters {
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	return meters{provider, reader}
}

// lines describes the data points: name, attributes, value. A histogram has its
// count and sum.
func (m meters) lines(t *testing.T, prefix string) (lines []string) {
	var all metricdata.ResourceMetrics
	require.NoError(t, m.reader.Collect(context.Background(), &all))
	for _, s := range all.ScopeMetrics {
		for _, metric := range s.Metrics {
			if !strings.HasPrefix(metric.Name, prefix) {
				continue
			}
			switch data := metric.Data.(type) {
			case metricdata.Sum[int64]:
				assert.True(t, data.IsMonotonic)
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %s %d", metric.Name, encoded(p.Attributes), p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %s %d %gs", metric.Name, encoded(p.Attributes), p.Count, p.Sum))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// encoded writes the last parts of the keys only.
func encoded(set attribute.Set) string {
	var all []string
	for _, kv := range set.ToSlice() {
		all = append(all, string(kv.Key[strings.LastIndexByte(string(kv.Key), '.')+1:])+"="+kv.Value.String())
	}
	return "{" + strings.Join(all, " ") + "}"
}

func request(t testing.TB, ctx context.Context, method string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, "http://x/items?token=secret", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "secret")
	return req
}

// quick retries without a wait.
func quick(hook func(context.Context, insist.Attempt)) insist.Policy {
	return insist.Policy{Backoff: insist.Constant(0), OnAttempt: hook}
}
