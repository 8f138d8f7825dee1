package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// quickstart runs the program and returns its exit status and output.
func quickstart(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	// Not a strings.Reader: insist would know that it is in memory.
	code = run(t.Context(), args, io.MultiReader(strings.NewReader(stdin)), &out, &errs)
	t.Logf("quickstart %s: %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	return code, out.String(), errs.String()
}

func wantIn(t *testing.T, output string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(output, want) {
			t.Errorf("not in the output: %q", want)
		}
	}
}

func wantCode(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("exit status: got %d, want %d", got, want)
	}
}

func TestDemo(t *testing.T) {
	code, stdout, stderr := quickstart(t, "")
	wantCode(t, code, 0)
	wantIn(t, stdout, "GET /report\n", "POST /orders", "PUT /videos/7",
		"attempt 1  503 Service Unavailable", "wait       1.000 s (status)",
		"attempt 1  no answer: ", "attempt 3  200 OK", "outcome    200 OK, after 2 attempts",
		"body whole (SHA-256 0aa8c86e...), after 2 attempts", "All three calls succeeded")
	if n := strings.Count(stdout, "  attempt "); n != 7 {
		t.Errorf("got %d attempts, want 7", n)
	}
	if stderr != "" {
		t.Errorf("standard error: %q", stderr)
	}
}

func TestDemoInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	wantCode(t, run(ctx, nil, nil, &out, io.Discard), 1)
	if n := strings.Count(out.String(), "FAILED: "); n != 3 {
		t.Errorf("got %d failures, want 3:\n%s", n, &out)
	}
}

// The demonstration must notice a server that is not as bad as it should be, and
// one that loses bytes.
func TestDemoNotices(t *testing.T) {
	tests := []struct {
		name   string
		server http.HandlerFunc
		want   string
	}{
		{"no failure", succeed, "FAILED: should have taken 3 attempts, after 1 attempt\n"},
		{"lost bytes", func(w http.ResponseWriter, req *http.Request) {
			req.Body = http.NoBody
			succeed(w, req)
		}, "FAILED: the server got another body than was sent"},
		{"client error", http.NotFound, "FAILED: 404 Not Found, after 1 attempt\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.server)
			defer server.Close()
			var out strings.Builder
			if sendAll(t.Context(), server.URL, &out) {
				t.Error("it did not")
			}
			wantIn(t, out.String(), tt.want)
		})
	}
}

// echo fails at first and then answers with what it got.
func echo() http.Handler {
	return script(turnAwayNow, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.Header().Set("X-Got", fmt.Sprint(req.Method, " ", req.Header.Get("Content-Type"), " ", string(body)))
		fmt.Fprint(w, "hello")
	})
}

func turnAwayNow(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "0")
	w.WriteHeader(http.StatusServiceUnavailable)
}

func TestURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "item.json")
	if err := os.WriteFile(file, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		stdin string
		args  []string
		got   string // by the server
	}{
		{"get", "", nil, "GET  "},
		{"method", "", []string{"-method", "DELETE"}, "DELETE  "},
		{"file", "", []string{"-data", file}, `POST application/json {"a": 1}`},
		{"stdin", "abc", []string{"-method", "PUT", "-data", "-"}, "PUT application/octet-stream abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, handler := "", echo()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				handler.ServeHTTP(w, req)
				got = w.Header().Get("X-Got")
			}))
			address := strings.Replace(server.URL, "//", "//user:pa55word@", 1) + "/items?token=s3cret"
			code, stdout, stderr := quickstart(t, tt.stdin, append(tt.args, "-url", address)...)
			server.Close() // and wait for the handler
			wantCode(t, code, 0)
			wantIn(t, stdout, " "+server.URL+"/items\n", "attempt 1  503 Service Unavailable",
				"attempt 2  200 OK", "outcome    200 OK, 5 bytes, after 2 attempts\n")
			if got != tt.got {
				t.Errorf("the server got %q, want %q", got, tt.got)
			}
			for _, secret := range []string{"s3cret", "pa55word", "?"} {
				if strings.Contains(stdout+stderr, secret) {
					t.Errorf("in the output: %q", secret)
				}
			}
		})
	}
}

func TestURLFails(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	tests := []struct {
		name   string
		server http.HandlerFunc
		want   string
	}{
		{"always 503", turnAwayNow, "503 Service Unavailable, 0 bytes, after 3 attempts: attempts_used_up\n"},
		{"404", http.NotFound, "404 Not Found, 19 bytes, after 1 attempt\n"},
		{"hangs up", hangUp, "FAILED: connection closed, after 3 attempts: attempts_used_up\n"},
		{"asks for an hour", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "429 Too Many Requests, 0 bytes, after 1 attempt: wait_too_long (to wait: 3600.000 s)\n"},
		{"body breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "hello")
		}, "200 OK, but its body broke off after 5 bytes: unexpected EOF, after 1 attempt\n"},
		{"redirects for ever", redirect("/again?token=s3cret"), "FAILED: the redirect could not be followed, after 10 attempts\n"},
		{"bad redirect", redirect("http://[?token=s3cret"), "FAILED: the redirect could not be followed, after 1 attempt\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.server)
			defer server.Close()
			code, stdout, stderr := quickstart(t, "", "-url", server.URL)
			wantCode(t, code, 1)
			wantIn(t, stdout, tt.want)
			if strings.Contains(stdout+stderr, "s3cret") {
				t.Error("a query in the output")
			}
		})
	}
}

func TestURLFollowsRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/old", http.RedirectHandler("/new?token=s3cret", http.StatusFound))
	mux.Handle("/new", echo())
	server := httptest.NewServer(mux)
	defer server.Close()
	code, stdout, _ := quickstart(t, "", "-url", server.URL+"/old")
	wantCode(t, code, 0)
	wantIn(t, stdout, "attempt 1  302 Found", "redirect   GET "+server.URL+"/new\n",
		"attempt 1  503", "attempt 2  200 OK", "after 3 attempts\n")
}

func TestURLRefused(t *testing.T) {
	code, stdout, _ := quickstart(t, "abc", "-url", "http://127.0.0.1:1", "-data", "-")
	wantCode(t, code, 1)
	wantIn(t, stdout, "POST http://", "no answer: connect", "after 3 attempts: attempts_used_up\n")
}

// A wait that is cut short is told of twice, and seen in the timeline.
func TestURLInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(turnAway))
	defer server.Close()
	var out strings.Builder
	code := run(ctx, []string{"-url", server.URL}, nil, &cancelOn{&out, "  wait ", cancel}, io.Discard)
	wantCode(t, code, 1)
	wantIn(t, out.String(), "no wait    cut short: context_ended\n", "FAILED: insist: gave up after 1 attempt: ")
}

// cancelOn cancels when text is written.
type cancelOn struct {
	io.Writer
	text   string
	cancel func()
}

func (c *cancelOn) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return c.Writer.Write(p)
}

func TestFlags(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"help", []string{"-h"}, 0, "-url URL"},
		{"unknown", []string{"-nope"}, 2, "-nope"},
		{"argument", []string{"http://127.0.0.1"}, 2, "unexpected argument"},
		{"method alone", []string{"-method", "PUT"}, 2, "need -url"},
		{"data alone", []string{"-data", "-"}, 2, "need -url"},
		{"bad URL", []string{"-url", "http://[?s3cret"}, 2, "missing ']'"},
		{"bad method", []string{"-url", "http://127.0.0.1", "-method", "GE T"}, 2, "invalid method"},
		{"no file", []string{"-url", "http://127.0.0.1", "-data", "no-such-file"}, 2, "no-such-file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := quickstart(t, "", tt.args...)
			wantCode(t, code, tt.code)
			wantIn(t, stderr, tt.stderr)
			if stdout != "" || strings.Contains(stderr, "s3cret") {
				t.Errorf("standard output %q, standard error %q", stdout, stderr)
			}
		})
	}
}
