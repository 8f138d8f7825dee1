package main

import (
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/seed-552c89fc/insist"
)

// newProxy returns a reverse proxy to upstream that retries requests by the policy. It
// forwards streams, upgrades and the trailers of responses, but not the trailers of
// requests, as any ReverseProxy. It forwards uploads of any length, and can retry those of
// up to policy.MaxReplayBytes.
func newProxy(upstream *url.URL, policy insist.Policy) http.Handler {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DisableCompression = true // forward bodies unchanged
	base.MaxIdleConnsPerHost = 100 // there is only one host
	proxy := &httputil.ReverseProxy{
		Transport: &insist.RetryTransport{Base: base, Policy: policy},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded() // replaces the client's own headers, which can't be trusted
		},
		FlushInterval: -1,
		ErrorHandler:  refuse,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Otherwise an early response waits until the client has sent its body.
		http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
}

// refuse responds if the upstream did not. The error may contain addresses, which are for
// the log only.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	log.Printf("%s: %v", r.Method, err)
	code := http.StatusBadGateway
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		code = http.StatusGatewayTimeout
	}
	http.Error(w, http.StatusText(code), code)
}
