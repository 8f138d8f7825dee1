// Command kubernetes shows client-go with insist inside: a table of faults, each
// on a server of its own on this machine, and what became of the call. It exits
// with an error if one did not end as it should.
package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
)

func main() {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // what it says is in the errors, too
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

// run takes the steps over TCP.
func run(out io.Writer) error {
	return sabotage.Run(out, slices.Concat(steps, executing), func() (*world, error) {
		return newWorld(sabotage.TCP.Serve)
	})
}

// world is a cluster, and a program that uses it.
type world struct {
	api    *fakeAPI
	faults *sabotage.Handler
	server *httptest.Server
	ctx    context.Context
	record *insist.Record
	config *rest.Config
	core   *corev1.CoreV1Client
}

func newWorld(serve func(http.Handler) *httptest.Server) (*world, error) {
	w := &world{api: &fakeAPI{heard: make(chan struct{}, 1)}}
	w.faults = &sabotage.Handler{Next: w.api.handler()}
	w.server = serve(w.faults)
	w.ctx, w.record = insist.WithRecord(context.Background())
	w.config = configFor(w.server)
	var err error
	if w.core, err = connect(w.config); err != nil {
		w.Close()
	}
	return w, err
}

// configFor stands for the kubeconfig file of a program.
func configFor(server *httptest.Server) *rest.Config {
	config := &rest.Config{
		Host: server.URL,
		Dial: server.Client().Transport.(*http.Transport).DialContext, // nil for TCP
		QPS:  -1,                                                      // no waits of its own in tests
	}
	if cert := server.Certificate(); cert != nil {
		config.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return config
}

func (w *world) Faults() *sabotage.Handler { return w.faults }
func (w *world) Attempts() string          { return sabotage.Timeline(w.record.Calls()...) }
func (w *world) Effects() (int, error)     { return w.api.effects() }

func (w *world) Close() {
	if w.core != nil {
		utilnet.CloseIdleConnectionsFor(transportOf(w.core.RESTClient()))
	}
	w.server.Close()
}

func transportOf(client rest.Interface) http.RoundTripper {
	if o, ok := client.(once); ok {
		client = o.Interface
	}
	return client.(*rest.RESTClient).Client.Transport
}
