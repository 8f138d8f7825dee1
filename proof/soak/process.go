package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server or a proxy that can be killed and started again.
type process struct {
	name    string
	command func() *exec.Cmd
	cmd     *exec.Cmd
	in      io.Closer
	output  bytes.Buffer
	kills   int
}

func (p *process) start() error {
	p.cmd = p.command()
	p.output.Reset()
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nginx has a second process
	p.cmd.WaitDelay = time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

// kill ends it at once, or asks it to end.
func (p *process) kill(gently bool) {
	if gently {
		p.cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(2*time.Second, func() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) })
		defer timer.Stop()
	} else {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	p.cmd.Wait()
	p.in.Close()
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what it has left behind
}

// field is all servers and proxies.
type field struct {
	processes []*process
	ways      []way
	missing   []string // proxies that are not installed
}

// way leads to a server.
type way struct{ name, proto, url string }

// newField prepares all servers and proxies. None is started.
func newField(dir string) (*field, error) {
	if err := writeCertificate(dir); err != nil {
		return nil, err
	}
	ports := new(ports)
	defer ports.release()
	f := new(field)
	plain, secure, quic := ports.next(), ports.next(), ports.nextUDP()
	f.child("server", dir, plain, secure)
	f.child("quic", dir, quic)
	f.ways = append(f.ways, way{"direct", "HTTP/3", "https://" + quic})

	var pairs []string
	for _, to := range []struct{ address, proto, scheme string }{{plain, "HTTP/1.1", "http://"}, {secure, "HTTP/2", "https://"}} {
		for range toxics {
			address := ports.next()
			pairs = append(pairs, address, to.address)
			f.ways = append(f.ways, way{"toxiproxy", to.proto, to.scheme + address})
		}
	}
	f.child("toxics", dir, pairs...)
	for _, p := range []struct {
		program, config string
		args            []string
	}{
		{"nginx", nginx, []string{"-c"}},
		{"haproxy", haproxy, []string{"-db", "-f"}},
	} {
		if err := f.real(dir, p.program, p.config, p.args, plain, ports); err != nil {
			return nil, err
		}
	}
	return f, ports.err
}

// child adds a child of this program.
func (f *field) child(name, dir string, addresses ...string) {
	f.processes = append(f.processes, &process{name: name, command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{name, dir}, addresses...), " "))
		return cmd
	}})
}

// real adds a proxy of the field, if it is installed.
func (f *field) real(dir, program, config string, args []string, upstream string, ports *ports) error {
	path, err := exec.LookPath(program)
	if err != nil {
		f.missing = append(f.missing, program)
		return nil
	}
	own := filepath.Join(dir, program)
	if err := os.Mkdir(own, 0o777); err != nil {
		return err
	}
	plain, secure := ports.next(), ports.next()
	cert, _ := certificateFiles(dir)
	config = strings.NewReplacer("PLAIN", plain, "SECURE", secure, "UPSTREAM", upstream, "DIR", own, "PEM", cert).Replace(config)
	file := filepath.Join(own, "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	f.processes = append(f.processes, &process{name: program, command: func() *exec.Cmd {
		return exec.Command(path, append(args, file)...)
	}})
	f.ways = append(f.ways, way{program, "HTTP/1.1", "http://" + plain}, way{program, "HTTP/2", "https://" + secure})
	return nil
}

// start starts all, and waits until they listen.
func (f *field) start() error {
	for _, p := range f.processes {
		if err := p.start(); err != nil {
			return err
		}
	}
	for _, w := range f.ways {
		if w.proto == "HTTP/3" {
			continue
		}
		_, address, _ := strings.Cut(w.url, "//")
		ok := false
		for end := time.Now().Add(20 * time.Second); !ok && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			c, err := net.Dial("tcp", address)
			if ok = err == nil; ok {
				c.Close()
			}
		}
		if !ok {
			return fmt.Errorf("%s does not listen: %s", w.name, f.outputs())
		}
	}
	return nil
}

func (f *field) outputs() string {
	var b strings.Builder
	for _, p := range f.processes {
		fmt.Fprintf(&b, "\n%s: %s", p.name, p.output.Bytes())
	}
	return b.String()
}

func (f *field) stop() {
	for _, p := range f.processes {
		if p.cmd != nil {
			p.kill(false)
		}
	}
}

// ports finds free ones. They are kept while they are chosen, so that none comes twice.
type ports struct {
	kept []io.Closer
	err  error
}

func (p *ports) next() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.err = err
		return ""
	}
	p.kept = append(p.kept, l)
	return l.Addr().String()
}

func (p *ports) nextUDP() string {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		p.err = err
		return ""
	}
	p.kept = append(p.kept, l)
	return l.LocalAddr().String()
}

func (p *ports) release() {
	for _, l := range p.kept {
		l.Close()
	}
}

const nginx = `
daemon off; worker_processes 1; pid DIR/pid; error_log DIR/error.log crit;
events { worker_connections 1024; }
http {
	access_log off; client_max_body_size 0;
	client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	server {
		listen PLAIN;
		listen SECURE ssl http2;
		ssl_certificate PEM; ssl_certificate_key PEM;
		location / {
			proxy_pass http://UPSTREAM; proxy_http_version 1.1;
			proxy_request_buffering off; proxy_buffering off; proxy_next_upstream off;
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
	bind PLAIN
	bind SECURE ssl crt PEM alpn h2
	default_backend out
backend out
	server one UPSTREAM
`

// writeCertificate writes a certificate for localhost with its key.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert})
	pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	name, _ := certificateFiles(dir)
	return os.WriteFile(name, b.Bytes(), 0o600)
}
