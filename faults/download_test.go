package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

const files = `
daemon off; worker_processes 1; pid DIR/pid; error_log DIR/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	server { listen LISTENS; root ROOT; ssl_certificate ROOT/pem; ssl_certificate_key ROOT/pem; }
}`

// TestDownloads fetches 64 MiB from nginx through proxies that cut connections
// after a random number of bytes, twenty of them, over HTTP/1.1 and HTTP/2.
func TestDownloads(t *testing.T) {
	t.Logf("-seed %d", *seed)
	for major, listen := range map[int]string{1: "LISTEN", 2: "LISTEN ssl http2"} {
		t.Run(fmt.Sprintf("HTTP/%d", major), func(t *testing.T) {
			random := rand.New(rand.NewPCG(*seed, uint64(major)))
			root := t.TempDir()
			file := make([]byte, 64<<20)
			rand.NewChaCha8([32]byte{byte(major)}).Read(file)
			trust := certificate(t, root)
			require.NoError(t, os.WriteFile(filepath.Join(root, "file"), file, 0o644))
			require.NoError(t, os.Chmod(root, 0o755)) // nginx's worker is another user
			require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
			config := strings.NewReplacer("LISTENS", listen, "ROOT", root).Replace(files)
			address, stop := startReal(t, "nginx", config, "-c", "CONFIG")
			defer stop()
			if address == "" {
				return
			}
			c := newCutLine(t, address, random)
			base := &http.Transport{DialContext: c.dial, ForceAttemptHTTP2: true}
			base.TLSClientConfig = trust
			defer base.CloseIdleConnections()

			url := map[int]string{1: "http://", 2: "https://"}[major] + "example.com/file"
			resp, record := c.get(t, base, url)
			require.Equal(t, major, resp.ProtoMajor)
			digest := sha256.New()
			_, err := io.Copy(digest, resp.Body)
			require.NoError(t, err, record)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, sha256.Sum256(file), [32]byte(digest.Sum(nil)))
			assert.Equal(t, len(c.ways), int(c.dialed.Load()), "%v", record)

			// The file is replaced by another of the same size.
			c.dialed.Store(0)
			base.CloseIdleConnections()
			resp, _ = c.get(t, base, url)
			start := make([]byte, 1000)
			_, err = io.ReadFull(resp.Body, start)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(root, "new"), bytes.Repeat([]byte("new "), 16<<20), 0o644))
			require.NoError(t, os.Chtimes(filepath.Join(root, "new"), time.Time{}, time.Now().Add(-time.Hour)))
			require.NoError(t, os.Rename(filepath.Join(root, "new"), filepath.Join(root, "file")))
			rest, err := io.ReadAll(resp.Body)
			assert.Error(t, err)
			assert.True(t, bytes.HasPrefix(file, append(start, rest...)), "nothing of the new file")
			resp.Body.Close()
		})
	}
}

// cutLine dials another proxy each time: twenty cut the connection, the last one
// does not.
type cutLine struct {
	ways   []string
	dialed atomic.Int64
}

func newCutLine(t *testing.T, upstream string, random *rand.Rand) *cutLine {
	c := new(cutLine)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for i := range 21 {
		p := toxiproxy.NewProxy(server, fmt.Sprint(i), "127.0.0.1:0", upstream)
		require.NoError(t, p.Start())
		if i < 20 {
			_, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
				`{"type": "limit_data", "attributes": {"bytes": %d}}`, 20_000+random.IntN(3<<20))))
			require.NoError(t, err)
		}
		c.ways = append(c.ways, p.Listen)
	}
	return c
}

func (c *cutLine) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	n := int(c.dialed.Add(1))
	return new(net.Dialer).DialContext(ctx, network, c.ways[min(n, len(c.ways))-1])
}

func (c *cutLine) get(t *testing.T, base http.RoundTripper, url string) (*http.Response, *insist.Record) {
	policy := insist.Standard()
	policy.ResumeDownloads, policy.Backoff = true, insist.Constant(0)
	policy.MaxAttempts = 10 // a line may be cut before anything has come of it
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := (&insist.RetryTransport{Base: base, Policy: policy}).RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	return resp, record
}

// certificate writes httptest's certificate, which is for example.com, as
// DIR/pem, and returns what trusts it.
func certificate(t *testing.T, dir string) *tls.Config {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	require.NoError(t, err)
	var out bytes.Buffer
	pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pem"), out.Bytes(), 0o600))
	return server.Client().Transport.(*http.Transport).TLSClientConfig
}
