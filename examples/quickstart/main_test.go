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
	"testing/synctest"
	"time"

	"github.com/seed-552c89fc/insist/insisttest"
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

// demoInBubble runs the demonstration over a network in memory, in virtual time. It
// returns the exit status, the output, and how long it took.
func demoInBubble(t *testing.T) (code int, stdout string, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		network, out, start := insisttest.NewListener(), new(strings.Builder), time.Now()
		code = demo(t.Context(), network, network.Transport(), out)
		stdout, took = out.String(), time.Since(start)
	})
	t.Logf("exit status %d after %v\n%s", code, took, stdout)
	return code, stdout, took
}

func TestDemo(t *testing.T) {
	code, stdout, took := demoInBubble(t)
	wantCode(t, code, 0)
	wantIn(t, stdout,
		"GET /report: ", "  with insist     attempt 1: connection lost, retried after 0.",
		"GET /stock: ", "attempt 1: 503 Service Unavailable, ", "retried after 1.000 s (Retry-After: 1)\n",
		"GET /job: ", `without insist  200 OK {"ret_code": 5000}`, " s (the body reports a failure)\n",
		"PUT /video: ", "result: 200 OK 5242880 bytes arrived, after 2 attempts\n",
		"POST /order: ", "attempt 1: connection lost, not retried: the server may have acted on it\n",
		"GET /quota: ", "not retried: the wait is longer than Policy.MaxRetryAfter (Retry-After: 3600)\n")
	if n := strings.Count(stdout, "attempt 1: ") + strings.Count(stdout, "attempt 2: "); n != 10 {
		t.Errorf("got %d attempts, want 10", n)
	}
	// The wait that was asked for, and three of up to 0.2 s.
	if took < time.Second || took > 1600*time.Millisecond {
		t.Errorf("took %v in virtual time", took)
	}
}

func TestDemoInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	network := insisttest.NewListener()
	wantCode(t, demo(ctx, network, network.Transport(), &out), 1)
	if n := strings.Count(out.String(), "THIS SHOULD BE"); n != len(calls) {
		t.Errorf("%d calls noticed, want %d:\n%s", n, len(calls), &out)
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
		{"no failure", say(""), "result: 200 OK, after 1 attempt\n  THIS SHOULD BE  connection lost, and 200 OK, after 2 attempts\n"},
		{"lost bytes", func(w http.ResponseWriter, req *http.Request) {
			req.Body = http.NoBody
			measure(w, req)
		}, "result: 200 OK 0 bytes arrived, after 1 attempt\n  THIS SHOULD BE"},
		{"client error", http.NotFound, "404 Not Found 404 page not found, after 1 attempt\n  THIS SHOULD BE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.server)
			defer server.Close()
			var out strings.Builder
			wantCode(t, makeCalls(t.Context(), calls, server.URL, newTransport(), &out), 1)
			wantIn(t, out.String(), tt.want)
		})
	}
}

// echo fails at first and then answers with what it got.
func echo() http.Handler {
	return script(turnAway(503, "0"), func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.Header().Set("X-Got", fmt.Sprint(req.Method, " ", req.Header.Get("Content-Type"), " ", string(body)))
		fmt.Fprint(w, "hello")
	})
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
			wantIn(t, stdout, " "+server.URL+"/items\n", "attempt 1: 503 Service Unavailable, retried after ",
				" s (Retry-After: 0)\n  attempt 2: 200 OK\n", "  result: 200 OK, 5 bytes, after 2 attempts and ")
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
		{"always 503", turnAway(503, "0"), "attempt 3: 503 Service Unavailable, not retried: attempts_used_up\n" +
			"  result: 503 Service Unavailable, 0 bytes, after 3 attempts and "},
		{"404", http.NotFound, "attempt 1: 404 Not Found\n  result: 404 Not Found, 19 bytes, after 1 attempt and "},
		{"hangs up", hangUp, "attempt 3: connection lost, not retried: attempts_used_up\n  result: FAILED: connection lost, after 3 attempts and "},
		{"asks for an hour", turnAway(429, "3600"), "attempt 1: 429 Too Many Requests, not retried: " +
			"the wait is longer than Policy.MaxRetryAfter (Retry-After: 3600)\n"},
		{"body is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "hello")
		}, "result: 200 OK, but its body ended after 5 bytes: connection lost, after 1 attempt and "},
		{"redirects forever", redirect("/again?token=s3cret"), "FAILED: the redirect could not be followed, after 10 attempts and "},
		{"bad redirect", redirect("http://[?token=s3cret"), "FAILED: the redirect could not be followed, after 1 attempt and "},
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
	wantIn(t, stdout, "attempt 1: 302 Found\n  redirected to GET "+server.URL+"/new\n  attempt 1: 503 ",
		"  attempt 2: 200 OK\n", "after 3 attempts and ")
}

func TestURLRefused(t *testing.T) {
	code, stdout, _ := quickstart(t, "abc", "-url", "http://127.0.0.1:1", "-data", "-")
	wantCode(t, code, 1)
	wantIn(t, stdout, "POST http://", "attempt 1: connect: connection refused, retried after ", "after 3 attempts and ")
}

// An attempt whose wait is cut short is reported twice.
func TestURLInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(turnAway(503, "1"))
	defer server.Close()
	var out strings.Builder
	code := run(ctx, []string{"-url", server.URL}, nil, &cancelOn{&out, "retried after", cancel}, io.Discard)
	wantCode(t, code, 1)
	wantIn(t, out.String(), "  the wait was cut short: context_ended\n", "FAILED: insist: gave up after 1 attempt: ")
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
		{"no scheme", []string{"-url", "127.0.0.1:1"}, 2, "http:// or https:// is missing"},
		{"a host for a scheme", []string{"-url", "localhost:8080/items"}, 2, "http:// or https:// is missing"},
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
