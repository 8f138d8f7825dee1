package otelinsist

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-552c89fc/insist"
)

// methods are the methods that the conventions list. Any other is reported as "_OTHER", so
// the attribute has few values.
var methods = map[string]bool{
	"CONNECT": true, "DELETE": true, "GET": true, "HEAD": true, "OPTIONS": true,
	"PATCH": true, "POST": true, "PUT": true, "TRACE": true,
}

func method(name string) attribute.KeyValue {
	if !methods[name] {
		return semconv.HTTPRequestMethodOther
	}
	return semconv.HTTPRequestMethodKey.String(name)
}

// server returns the attributes of a URL's host. If host has no port, defaultPort is used;
// if that is 0, the port is omitted.
func server(host string, defaultPort int) []attribute.KeyValue {
	u := url.URL{Host: host}
	attrs := append(make([]attribute.KeyValue, 0, 8), semconv.ServerAddress(u.Hostname()))
	port, _ := strconv.Atoi(u.Port())
	if port = cmp.Or(port, defaultPort); port != 0 {
		attrs = append(attrs, semconv.ServerPort(port))
	}
	return attrs
}

func spanName(req *http.Request) string {
	name := cmp.Or(req.Method, http.MethodGet)
	if !methods[name] {
		return "HTTP"
	}
	return name
}

func requestAttributes(req *http.Request) []attribute.KeyValue {
	port := 80
	if req.URL.Scheme == "https" {
		port = 443
	}
	name := cmp.Or(req.Method, http.MethodGet)
	attrs := append(server(req.URL.Host, port), method(name), semconv.URLFull(redacted(*req.URL)))
	if !methods[name] {
		attrs = append(attrs, semconv.HTTPRequestMethodOriginal(name))
	}
	return attrs
}

// redacted returns u without the parts that may be secret. The conventions list only a few
// query parameters to hide, but any may hold a token, so all are hidden.
func redacted(u url.URL) string {
	if u.User != nil {
		u.User = url.UserPassword("REDACTED", "REDACTED")
	}
	if u.RawQuery != "" {
		u.RawQuery = "REDACTED"
	}
	u.Fragment, u.RawFragment = "", "" // is not sent
	return u.String()
}

func responseAttributes(resp *http.Response) []attribute.KeyValue {
	attrs := statusAttributes(make([]attribute.KeyValue, 0, 3), resp.StatusCode)
	switch version := strconv.Itoa(resp.ProtoMajor); {
	case resp.ProtoMajor == 1:
		attrs = append(attrs, semconv.NetworkProtocolVersion(version+"."+strconv.Itoa(resp.ProtoMinor)))
	case resp.ProtoMajor > 1:
		attrs = append(attrs, semconv.NetworkProtocolVersion(version))
	}
	return attrs
}

func statusAttributes(attrs []attribute.KeyValue, code int) []attribute.KeyValue {
	attrs = append(attrs, semconv.HTTPResponseStatusCode(code))
	if status(code) == codes.Error {
		attrs = append(attrs, semconv.ErrorTypeKey.String(strconv.Itoa(code)))
	}
	return attrs
}

// status is that of a client span, for which a 4xx is an error, too.
func status(code int) codes.Code {
	if code < 100 || code >= 400 {
		return codes.Error
	}
	return codes.Unset
}

// errorType returns the class of err, not its text, which may contain a URL.
func errorType(err error) attribute.KeyValue {
	return semconv.ErrorTypeKey.String(insist.Attempt{Err: err}.Class())
}

// explained returns the cause of ctx if err says only that ctx was canceled, as HTTP/2's
// error does. The cause may be the attempt's time limit.
func explained(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) {
		return cmp.Or(context.Cause(ctx), err)
	}
	return err
}

func fail(span trace.Span, err error) {
	span.SetAttributes(errorType(err))
	span.SetStatus(codes.Error, "")
}

// resendCount is the attribute for attempt n: the first one is not a resend.
func resendCount(n int) attribute.KeyValue { return semconv.HTTPRequestResendCount(n - 1) }
