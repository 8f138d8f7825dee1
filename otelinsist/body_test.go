package otelinsist_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/otelinsist"
)

// answers makes a base of a function.
type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A span ends on every path, and a body that needs no look stays what it is.
func TestEverySpanEnds(t *testing.T) {
	with := func(status int, body io.ReadCloser) answers {
		return func(req *http.Request) (*http.Response, error) {
			resp, err := insisttest.Status(status)(req)
			resp.Body = body
			return resp, err
		}
	}
	text := &insisttest.Body{Reader: strings.NewReader("text")}
	broken := &insisttest.Body{Reader: iotest.ErrReader(io.ErrUnexpectedEOF)}
	upgraded := struct {
		io.ReadCloser
		io.Writer
	}{http.NoBody, io.Discard}
	read := func(r *http.Response) { io.Copy(io.Discard, r.Body) }
	shut := func(r *http.Response) { r.Body.Close() }
	for _, c := range []struct {
		name    string
		method  string
		base    answers
		end     func(*http.Response) // nil if the span ends with the head
		wrapped bool
		want    string
	}{
		{"read to the end", "GET", with(200, text), read, true, "GET status_code=200"},
		{"closed early", "GET", with(200, text), shut, true, "GET status_code=200"},
		{"truncated body", "GET", with(200, broken), read, true, "GET Error status_code=200 type=unexpected_eof"},
		{"upgraded", "GET", with(101, upgraded), nil, false, "GET status_code=101"},
		{"NoBody", "GET", with(204, http.NoBody), nil, false, "GET status_code=204"},
		{"no body at all", "GET", with(200, nil), nil, false, "GET status_code=200"},
		{"nothing in the body", "GET", func(req *http.Request) (*http.Response, error) {
			resp, err := with(200, text)(req)
			resp.ContentLength = 0
			return resp, err
		}, nil, false, "GET status_code=200"},
		{"HEAD", "HEAD", with(200, text), nil, false, "HEAD status_code=200"},
		{"error", "GET", func(*http.Request) (*http.Response, error) { return nil, errReset }, nil, false, "GET Error type=connection_reset"},
		{"neither", "GET", func(*http.Request) (*http.Response, error) { return nil, nil }, nil, false, "GET"},
		{"panic", "GET", func(*http.Request) (*http.Response, error) { panic(errReset) }, nil, false, "GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			traces := newTraces(t)
			resp := recovered(&otelinsist.Transport{Base: c.base, TracerProvider: traces}, request(t, t.Context(), c.method))
			if c.end != nil {
				assert.Empty(t, traces.spans.GetSpans(), "not yet")
				c.end(resp)
			}
			assert.Equal(t, []string{c.want}, traces.lines(semconv.HTTPResponseStatusCodeKey, semconv.ErrorTypeKey))
			if resp == nil || resp.Body == nil {
				return
			}
			assert.NoError(t, resp.Body.Close())
			io.Copy(io.Discard, resp.Body) // after the end
			assert.Len(t, traces.spans.GetSpans(), 1, "once")
			plain, err := c.base(request(t, t.Context(), c.method))
			require.NoError(t, err)
			assert.Equal(t, c.wrapped, plain.Body != resp.Body)
		})
	}
}

func recovered(rt http.RoundTripper, req *http.Request) *http.Response {
	defer func() { recover() }()
	resp, _ := rt.RoundTrip(req)
	return resp
}

// A span names the same class as Attempt.Class, also where the base knows only
// that the context has ended.
func TestEndOfTheContext(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy insist.Policy
		end    func(context.Context) (context.Context, context.CancelFunc)
		want   string
	}{
		{"attempt's time limit", insist.Policy{PerAttemptTimeout: time.Second, MaxAttempts: 1}, context.WithCancel, "timeout"},
		{"deadline", insist.Policy{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, "timeout"},
		{"canceled", insist.Policy{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, "canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				traces := newTraces(t)
				ctx, cancel := c.end(t.Context())
				defer cancel()
				var told []string
				c.policy.OnAttempt = func(_ context.Context, a insist.Attempt) { told = append(told, a.Class()) }
				stuck := answers(func(req *http.Request) (*http.Response, error) {
					<-req.Context().Done()
					return nil, req.Context().Err()
				})
				rt := &insist.RetryTransport{Base: &otelinsist.Transport{Base: stuck, TracerProvider: traces}, Policy: c.policy}
				_, err := rt.RoundTrip(request(t, ctx, "GET"))
				assert.Error(t, err)
				assert.Equal(t, []string{"GET Error type=" + c.want}, traces.lines(semconv.ErrorTypeKey))
				assert.Equal(t, []string{c.want}, told)
			})
		})
	}
}
