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

// newProxy returns a reverse proxy to upstream that sends requests again by the
// policy. Streams, upgrades and the trailers of answers pass; those of requests
// do not, as in any ReverseProxy. Uploads of any length pass, and those up to
// policy.MaxReplayBytes can be repeated.
func newProxy(upstream *url.URL, policy insist.Policy) http.Handler {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DisableCompression = true // bodies pass as they are
	base.MaxIdleConnsPerHost = 100 // there is but one host
	proxy := &httputil.ReverseProxy{
		Transport: &insist.RetryTransport{Base: base, Policy: policy},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded() // in place of what the client claims
		},
		FlushInterval: -1,
		ErrorHandler:  refuse,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Else an answer that comes early waits until the client has sent its body.
		http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
}

// refuse answers in place of an upstream that did not. The error may have
// addresses in it, which are for the log only.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	log.Printf("%s: %v", r.Method, err)
	code := http.StatusBadGateway
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		code = http.StatusGatewayTimeout
	}
	http.Error(w, http.StatusText(code), code)
}
