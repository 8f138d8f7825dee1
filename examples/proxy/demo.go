package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist"
)

// demo starts an upstream that fails each request the first time, and the proxy in front
// of it. It sends three requests with a client that doesn't retry.
func demo(ctx context.Context, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	upstream, stop, err := serve("127.0.0.1:0", misbehave())
	if err != nil {
		fmt.Fprintln(stderr, "proxy:", err)
		return 1
	}
	defer stop()
	policy := insist.Standard()
	policy.OnAttempt = tell(stdout)
	proxy, stop, err := serve("127.0.0.1:0", newProxy(&url.URL{Scheme: "http", Host: upstream}, policy))
	if err != nil {
		fmt.Fprintln(stderr, "proxy:", err)
		return 1
	}
	defer stop()
	fmt.Fprintf(stdout, "An upstream that misbehaves on purpose, on %s; the proxy on %s.\n", upstream, proxy)
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	code := 0
	for _, c := range []struct {
		method, path string
		size         int // of the body
		want         int
	}{
		{"GET", "/closes-the-connection", 0, 200},
		{"PUT", "/turns-away", 5 << 20, 200},
		{"POST", "/closes-the-connection", 1000, 502},
	} {
		fmt.Fprintf(stdout, "\n%s %s, %d bytes\n", c.method, c.path, c.size)
		status, err := send(ctx, client, c.method, "http://"+proxy+c.path, c.size)
		if err != nil || status != c.want {
			fmt.Fprintf(stdout, "  FAILED: status %d, not %d: %v\n", status, c.want, err)
			code = 1
			continue
		}
		fmt.Fprintf(stdout, "  the client got %d %s\n", status, http.StatusText(status))
	}
	if code == 0 {
		fmt.Fprintln(stdout, "\nThe POST was not repeated, since its response was lost: it may have taken effect.")
	}
	return code
}

// misbehave fails the first request for each method and path. For later ones it reads the
// body and responds with its SHA-256.
func misbehave() http.Handler {
	first := func(fail http.HandlerFunc) http.HandlerFunc {
		var requests atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 1 {
				fail(w, r)
				return
			}
			sum := sha256.New()
			if _, err := io.Copy(sum, r.Body); err == nil {
				fmt.Fprintf(w, "%x", sum.Sum(nil))
			}
		}
	}
	closes := func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	turnsAway := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /closes-the-connection", first(closes))
	mux.HandleFunc("POST /closes-the-connection", first(closes))
	mux.HandleFunc("PUT /turns-away", first(turnsAway))
	return mux
}

// send makes a request and returns its status. If that is 200, the upstream received the
// body unchanged.
func send(ctx context.Context, client *http.Client, method, url string, size int) (int, error) {
	body := strings.Repeat("insist ", 1+size/7)[:size]
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusOK && string(got) != hash(body) {
		err = errors.New("the upstream got another body")
	}
	return resp.StatusCode, err
}

func hash(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
