package main

import (
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/seed-552c89fc/insist"
)

// connect is client-go's quick start with two lines more: ours in, and its own
// retry off. It takes a client of one API group, to compile faster than with
// kubernetes.NewForConfig, where Wrap is the same and the own retry stays.
func connect(config *rest.Config) (*corev1.CoreV1Client, error) {
	config.Wrap(retry(insist.Standard()))
	client, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return corev1.New(once{client.RESTClient()}), nil
}

// retry returns a wrapper for rest.Config. It leaves alone the transports of
// exec, attach and port-forward, which make one connection and keep it: an executor
// tries WebSockets first, and SPDY where the server refuses them, so that more attempts
// would only hold that up.
func retry(policy insist.Policy) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper {
		if _, upgrades := base.(utilnet.TLSClientConfigHolder); upgrades {
			return base
		}
		return &insist.RetryTransport{Policy: policy, Base: base}
	}
}

// once switches off client-go's own retry, by which a request is made up to
// eleven times: after a response with Retry-After, and a GET after a reset. There
// is a switch for a single request only, and typed clients make those themselves.
type once struct{ rest.Interface }

func (o once) Verb(verb string) *rest.Request { return o.Interface.Verb(verb).MaxRetries(0) }
func (o once) Get() *rest.Request             { return o.Interface.Get().MaxRetries(0) }
func (o once) Post() *rest.Request            { return o.Interface.Post().MaxRetries(0) }
func (o once) Put() *rest.Request             { return o.Interface.Put().MaxRetries(0) }
func (o once) Delete() *rest.Request          { return o.Interface.Delete().MaxRetries(0) }

func (o once) Patch(kind types.PatchType) *rest.Request {
	return o.Interface.Patch(kind).MaxRetries(0)
}
