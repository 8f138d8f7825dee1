package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/quic-go/quic-go/http3"
	"github.com/rs/zerolog"
)

// childEnv says what this program is to be, if not the one that makes the calls:
// a name, its directory, and addresses.
const childEnv = "SOAK_CHILD"

// runChild runs a child until its standard input ends, and reports whether this is one.
func runChild() bool {
	f := strings.Fields(os.Getenv(childEnv))
	if len(f) == 0 {
		return false
	}
	log.SetOutput(io.Discard)
	start := map[string]func(dir string, addresses []string) error{
		"server": startServer, "quic": startQUIC, "toxics": startToxics,
	}[f[0]]
	if err := start(f[1], f[2:]); err != nil {
		fmt.Fprintln(os.Stderr, f[0], err)
		os.Exit(1)
	}
	io.Copy(io.Discard, os.Stdin)
	return true
}

// startServer serves HTTP/1.1 at the first address, and HTTP/2 at the second.
func startServer(dir string, addresses []string) error {
	s, err := newService(dir)
	if err != nil {
		return err
	}
	plain := &http.Server{Addr: addresses[0], Handler: s}
	secure := &http.Server{Addr: addresses[1], Handler: s}
	cert, key := certificateFiles(dir)
	go exit(plain.ListenAndServe)
	go exit(func() error { return secure.ListenAndServeTLS(cert, key) })
	return nil
}

// startQUIC serves HTTP/3.
func startQUIC(dir string, addresses []string) error {
	s, err := newService(dir)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(certificateFiles(dir))
	if err != nil {
		return err
	}
	server := &http3.Server{
		Addr: addresses[0], Handler: s,
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}}),
	}
	go exit(server.ListenAndServe)
	return nil
}

func exit(serve func() error) {
	fmt.Fprintln(os.Stderr, serve())
	os.Exit(1)
}

// toxics are what the proxies do, each to some of its connections.
var toxics = []struct{ name, toxic string }{
	{"clean", ``},
	{"latency", `{"type": "latency", "attributes": {"latency": 3, "jitter": 3}}`},
	{"slicer", `{"type": "slicer", "attributes": {"average_size": 2000, "size_variation": 1000, "delay": 5}}`},
	{"reset", `{"type": "reset_peer", "toxicity": 0.3, "attributes": {"timeout": 4}}`},
	{"cut down", `{"type": "limit_data", "toxicity": 0.4, "attributes": {"bytes": 30000}}`},
	{"cut up", `{"type": "limit_data", "stream": "upstream", "toxicity": 0.4, "attributes": {"bytes": 50000}}`},
	{"timeout", `{"type": "timeout", "toxicity": 0.2, "attributes": {"timeout": 50}}`},
}

// startToxics starts a proxy for each of toxics, with the addresses in pairs: where it
// listens, and its upstream.
func startToxics(_ string, addresses []string) error {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for i := 0; i < len(addresses); i += 2 {
		toxic := toxics[i/2%len(toxics)]
		p := toxiproxy.NewProxy(server, fmt.Sprint(i), addresses[i], addresses[i+1])
		if err := p.Start(); err != nil {
			return err
		}
		if toxic.toxic == "" {
			continue
		}
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic.toxic)); err != nil {
			return err
		}
	}
	return nil
}

func certificateFiles(dir string) (cert, key string) {
	return filepath.Join(dir, "pem"), filepath.Join(dir, "pem")
}
