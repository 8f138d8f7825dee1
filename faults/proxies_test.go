package faults

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// toxics are what the proxies do, each to some of its connections.
var toxics = map[string]string{
	"clean":     ``,
	"latency":   `{"type": "latency", "attributes": {"latency": 3, "jitter": 3}}`,
	"slicer":    `{"type": "slicer", "attributes": {"average_size": 800, "size_variation": 500, "delay": 5}}`,
	"bandwidth": `{"type": "bandwidth", "attributes": {"rate": 30000}}`,
	"reset":     `{"type": "reset_peer", "toxicity": 0.3, "attributes": {"timeout": 4}}`,
	"cut down":  `{"type": "limit_data", "toxicity": 0.4, "attributes": {"bytes": 30000}}`,
	"cut up":    `{"type": "limit_data", "stream": "upstream", "toxicity": 0.4, "attributes": {"bytes": 50000}}`,
	"timeout":   `{"type": "timeout", "toxicity": 0.2, "attributes": {"timeout": 50}}`,
}

// TestMain makes the program the child that startToxics starts, or runs the tests.
func TestMain(m *testing.M) {
	if upstream := os.Getenv(toxicsOf); upstream != "" {
		for _, address := range toxicProxies(upstream) {
			fmt.Println(address)
		}
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const toxicsOf = "TOXICS_OF"

// startToxics starts a process with a proxy for each of toxics, and returns their
// addresses. It is another process since some toxics keep connections, memory and
// goroutines for ever.
func startToxics(t *testing.T, upstream string) (addresses []string, stop func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), toxicsOf+"="+upstream)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(out); len(addresses) < len(toxics); addresses = append(addresses, lines.Text()) {
		require.True(t, lines.Scan(), "the proxies did not start")
	}
	return addresses, func() {
		in.Close()
		cmd.Wait()
	}
}

func toxicProxies(upstream string) (addresses []string) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for _, name := range slices.Sorted(maps.Keys(toxics)) {
		p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)
		if err := p.Start(); err != nil {
			log.Fatal(err)
		}
		if toxics[name] != "" {
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxics[name])); err != nil {
				log.Fatal(err)
			}
		}
		addresses = append(addresses, p.Listen)
	}
	return addresses
}

// startReal starts a proxy of the field, if it is installed. Its configuration has
// the marks LISTEN, UPSTREAM and DIR.
func startReal(t *testing.T, program, config string, args ...string) (address string, stop func()) {
	path, err := exec.LookPath(program)
	if err != nil {
		t.Logf("%s is not installed: the requests through it were NOT made", program)
		return "", func() {}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = l.Addr().String()
	l.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	config = strings.NewReplacer("LISTEN", address, "DIR", dir).Replace(config)
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "CONFIG", file)
	}
	var output strings.Builder
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nginx has a second process
	cmd.WaitDelay = time.Second
	require.NoError(t, cmd.Start())
	stop = func() {
		cmd.Process.Signal(syscall.SIGTERM) // nginx sees to its second process
		kill := time.AfterFunc(5*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		cmd.Wait()
		kill.Stop()
	}
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "%s does not listen: %s", program, &output)
	return address, stop
}

const nginx = `
daemon off; worker_processes 1; pid DIR/pid; error_log DIR/error.log;
events { worker_connections 1024; }
http {
	access_log off; client_max_body_size 0;
	client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	server {
		listen LISTEN;
		location / {
			proxy_pass http://UPSTREAM; proxy_http_version 1.1;
			proxy_request_buffering off; proxy_next_upstream off;
		}
	}
}`

const haproxy = `
global
	maxconn 1000
defaults
	mode http
	retries 0
	timeout connect 2s
	timeout client 10s
	timeout server 10s
frontend in
	bind LISTEN
	default_backend out
backend out
	server one UPSTREAM
`

// startAll returns the addresses of all ways to the upstream.
func startAll(t *testing.T, upstream string) (addresses []string, stop func()) {
	addresses, stopToxics := startToxics(t, upstream)
	stops := []func(){stopToxics}
	for _, real := range []struct {
		program, config string
		args            []string
	}{
		{"nginx", nginx, []string{"-c", "CONFIG"}},
		{"haproxy", haproxy, []string{"-db", "-f", "CONFIG"}},
	} {
		config := strings.ReplaceAll(real.config, "UPSTREAM", upstream)
		address, stop := startReal(t, real.program, config, real.args...)
		if stops = append(stops, stop); address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses, func() {
		for _, stop := range stops {
			stop()
		}
	}
}
