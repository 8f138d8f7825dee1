package otelinsist

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-552c89fc/insist"
)

// Metrics returns a function for Policy.OnAttempt that counts:
//
//	insist.attempts    {attempt}  attempts that have ended
//	insist.retries     {retry}    retries that the policy decided on
//	insist.give_ups    {call}     calls that ended without success and without a
//	                              further attempt
//	insist.retry.wait  s          the waits before retries, a histogram
//
// For a request, all have http.request.method, server.address and, if the URL has a port,
// server.port; for a function they have none of these. If the Policy has a Name, all have
// insist.name. insist.attempts also has http.response.status_code and error.type.
// insist.retries and insist.give_ups also have insist.reason, which has few values, see
// insist.Reason. If a budget refused a retry, insist.give_ups counts it with the
// insist.reason "budget_used_up".
//
// If the context ends during the wait before a retry, that retry has already been counted,
// and the call is counted as given up as well.
//
// Call Metrics once and share the result. To combine it with another hook, call
// both from a function. If provider is nil, it is the global one.
func Metrics(provider metric.MeterProvider) func(context.Context, insist.Attempt) {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	return newInstruments(provider.Meter(scope)).observe
}

const (
	nameKey   = attribute.Key("insist.name")
	reasonKey = attribute.Key("insist.reason")
)

type instruments struct {
	attempts, retries, giveUps metric.Int64Counter
	wait                       metric.Float64Histogram
}

func newInstruments(m metric.Meter) *instruments {
	var i instruments
	var errs [4]error
	i.attempts, errs[0] = m.Int64Counter("insist.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts that have ended."))
	i.retries, errs[1] = m.Int64Counter("insist.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("Retries that the policy decided on, by reason."))
	i.giveUps, errs[2] = m.Int64Counter("insist.give_ups", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that ended without success and without a further attempt, by reason."))
	i.wait, errs[3] = m.Float64Histogram("insist.retry.wait", metric.WithUnit("s"),
		metric.WithDescription("Waits before retries."),
		metric.WithExplicitBucketBoundaries(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30))
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err)
	}
	return &i
}

// observe counts an attempt. If a replaces an earlier report of the same attempt, it may
// count a retry or a give-up, but not another attempt.
func (i *instruments) observe(ctx context.Context, a insist.Attempt) {
	var attrs []attribute.KeyValue
	if a.Method != "" {
		attrs = append(server(a.Host, 0), method(a.Method))
	}
	if a.Name != "" {
		attrs = append(attrs, nameKey.String(a.Name))
	}
	if !a.Amended {
		i.attempts.Add(ctx, 1, set(outcome(slices.Clip(attrs), &a)))
	}
	reason := append(slices.Clip(attrs), reasonKey.String(string(a.Reason)))
	switch {
	case a.Retry:
		i.retries.Add(ctx, 1, set(reason))
		i.wait.Record(ctx, a.Wait.Seconds(), set(attrs))
	case a.GaveUp():
		i.giveUps.Add(ctx, 1, set(reason))
	}
}

// outcome adds the attempt's status and error. If a body was truncated, it adds both.
func outcome(attrs []attribute.KeyValue, a *insist.Attempt) []attribute.KeyValue {
	if a.Status != 0 {
		attrs = statusAttributes(attrs, a.Status)
	}
	if a.Err != nil {
		attrs = append(attrs, errorType(a.Err))
	}
	return attrs
}

func set(attrs []attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}
