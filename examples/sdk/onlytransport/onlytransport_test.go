package onlytransport

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/examples/sdk/internal/sabotage"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, http.DefaultClient.CloseIdleConnections) }

var (
	upload = func() []byte {
		b := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{}).Read(b)
		return b
	}()
	quick = insist.Policy{Backoff: insist.Constant(0)}
)

// service answers 200 to a body that came whole.
var service = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
	if got, err := io.ReadAll(req.Body); err != nil || len(got) > 0 && !bytes.Equal(got, upload) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	io.WriteString(w, "well done")
})

func plain(h http.Handler) *httptest.Server { return httptest.NewServer(h) }

func secure(h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	return server
}

var schemes = []struct {
	name  string
	serve func(http.Handler) *httptest.Server
}{{"http", plain}, {"https", secure}}

// start starts a server, and returns it with a client that retries.
func start(t *testing.T, serve func(http.Handler) *httptest.Server, faults ...sabotage.Fault) (*httptest.Server, *http.Client) {
	t.Helper()
	h := &sabotage.Handler{Next: service}
	h.Plan(faults...)
	server := serve(h)
	t.Cleanup(server.Close)
	transport := Retrying(server.Client().Transport.(*http.Transport), quick)
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport}
}

// send sends body and returns what the attempts came to.
func send(t *testing.T, client *http.Client, method, url string, body io.Reader) (attempts string, resp *http.Response, err error) {
	t.Helper()
	ctx, record := insist.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = client.Do(req); err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	return sabotage.Timeline(record.Calls()...), resp, err
}

func TestFaults(t *testing.T) {
	early, reset, lost := sabotage.Early(300_000, 503, ""), sabotage.Reset(300_000), sabotage.Fault(sabotage.Lose)
	inMemory := func() io.Reader { return bytes.NewReader(upload) }
	streamed := func() io.Reader { return io.MultiReader(bytes.NewReader(upload)) } // no GetBody
	none := func() io.Reader { return nil }
	for _, tt := range []struct {
		name     string
		method   string
		body     func() io.Reader
		faults   []sabotage.Fault
		attempts string
		fails    bool
	}{
		{"nothing wrong", "GET", none, nil, "200", false},
		{"early response", "GET", none, []sabotage.Fault{early}, "503 200", false},
		{"lost response", "GET", none, []sabotage.Fault{lost}, "error 200", false},
		{"truncated response", "GET", none, []sabotage.Fault{sabotage.Truncate}, "200", true},
		{"in memory, early response", "POST", inMemory, []sabotage.Fault{early, early}, "503 503 200", false},
		{"in memory, reset", "PUT", inMemory, []sabotage.Fault{reset, early}, "error 503 200", false},
		{"in memory, lost response", "POST", inMemory, []sabotage.Fault{lost}, "error", true},
		{"streamed, nothing wrong", "POST", streamed, nil, "200", false},
		{"streamed, early response", "POST", streamed, []sabotage.Fault{early, early}, "503 503 200", false},
		{"streamed, reset", "PUT", streamed, []sabotage.Fault{reset, early}, "error 503 200", false},
		{"streamed, lost response", "POST", streamed, []sabotage.Fault{lost}, "error", true},
	} {
		for _, scheme := range schemes {
			t.Run(tt.name+", "+scheme.name, func(t *testing.T) {
				server, client := start(t, scheme.serve, tt.faults...)
				attempts, _, err := send(t, client, tt.method, server.URL, tt.body())
				if attempts != tt.attempts || (err != nil) != tt.fails {
					t.Errorf("got attempts %s (%v), want %s", attempts, err, tt.attempts)
				}
			})
		}
	}
}

// The redirects of a client are calls of their own.
func TestRedirect(t *testing.T) {
	server, client := start(t, plain, func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
		http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
	}, sabotage.Early(0, 503, ""))
	if attempts, _, err := send(t, client, "POST", server.URL, bytes.NewReader(upload)); attempts != "307, 503 200" || err != nil {
		t.Errorf("got %s, %v", attempts, err)
	}
}

func TestTimeoutEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := start(t, sabotage.Memory.Serve, sabotage.Early(0, 503, "20"), sabotage.Early(0, 503, "20"))
		client.Timeout = 30 * time.Second
		begun := time.Now()
		_, resp, err := send(t, client, "GET", server.URL, nil)
		if err == nil && resp.StatusCode != 503 || time.Since(begun) > 30*time.Second {
			t.Errorf("got %v, %v after %v", resp, err, time.Since(begun))
		}
	})
}

func TestResponseKeepsNothingOfTheAttempt(t *testing.T) {
	server, client := start(t, plain)
	type key struct{}
	req, _ := http.NewRequestWithContext(context.WithValue(t.Context(), key{}, 1), "GET", server.URL, nil)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Request.Context() != req.Context() {
		t.Error("the response's request is not the caller's")
	}
}

// What an SDK does with a transport that it has been given.
func TestSettingsOfTheSDKCount(t *testing.T) {
	server, client := start(t, secure, sabotage.Early(0, 503, ""))
	transport := Retrying(new(http.Transport), quick)
	defer transport.CloseIdleConnections()
	own := &http.Client{Transport: transport}
	if _, _, err := send(t, own, "GET", server.URL, nil); !insist.ErrorAs[x509.UnknownAuthorityError](err) {
		t.Errorf("got %v, want an unknown authority", err)
	}
	other := Retrying(new(http.Transport), quick)
	defer other.CloseIdleConnections()
	other.TLSClientConfig = client.Transport.(*http.Transport).TLSClientConfig
	if attempts, _, err := send(t, &http.Client{Transport: other}, "GET", server.URL, nil); attempts != "503 200" || err != nil {
		t.Errorf("got %s, %v", attempts, err)
	}
}

func TestCloseIdleConnections(t *testing.T) {
	server, client := start(t, plain)
	reused := func() (yes bool) {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { yes = info.Reused },
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return yes
	}
	if reused() {
		t.Error("the first connection is not new")
	}
	kept := false
	for range 3 { // net/http keeps none whose writer has not reported within 50 ms
		kept = kept || reused()
	}
	if !kept {
		t.Error("no connection is kept")
	}
	client.CloseIdleConnections()
	if reused() {
		t.Error("an idle connection is left")
	}
}

func TestACloneDoesNotRetry(t *testing.T) {
	for _, scheme := range schemes {
		server, client := start(t, scheme.serve, sabotage.Early(0, 503, ""))
		clone := client.Transport.(*http.Transport).Clone()
		defer clone.CloseIdleConnections()
		attempts, resp, err := send(t, &http.Client{Transport: clone}, "GET", server.URL, nil)
		if err != nil || resp.StatusCode != 503 || attempts != "" {
			t.Errorf("%s: got %v, %v, attempts %s", scheme.name, resp, err, attempts)
		}
	}
}
