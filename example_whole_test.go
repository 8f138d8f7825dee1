package insist_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
)

// A small answer breaks off in the middle. With MaxWholeBytes the caller never
// sees that.
func ExamplePolicy_maxWholeBytes() {
	server := httptest.NewServer(insisttest.NewScript(
		insisttest.CutAfter(10, insisttest.JSON(200, `{"stock": {"apple": 5}}`)),
		insisttest.JSON(200, `{"stock": {"apple": 5}}`),
	))
	defer server.Close()

	policy := insist.Standard()
	policy.MaxWholeBytes = 1 << 20
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err)
	// Output: {"stock": {"apple": 5}} <nil>
}

// The line breaks after each 400 KB of a file of 1 MB. With ResumeDownloads the
// body goes on by itself; here OnAttempt tells of it.
func ExamplePolicy_resumeDownloads() {
	file := bytes.Repeat([]byte("0123456789"), 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`) // names this version of the file
		http.ServeContent(&brittle{w, 400_000}, r, "", time.Time{}, bytes.NewReader(file))
	}))
	defer server.Close()

	policy := insist.Standard()
	policy.ResumeDownloads = true
	policy.OnAttempt = func(_ context.Context, a insist.Attempt) {
		fmt.Println(a.Number, a.Status, a.Reason)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	fmt.Println(bytes.Equal(got, file), err)
	// Output:
	// 1 200 success
	// 1 200 error
	// 2 206 success
	// 2 206 error
	// 3 206 success
	// true <nil>
}

// brittle is the writer of an answer whose connection breaks after left bytes.
type brittle struct {
	http.ResponseWriter
	left int
}

func (b *brittle) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 && n < len(p) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// A record prints as one line, which says why a call took so long and is safe to
// log.
func ExampleRecord() {
	server := exampleServer(503, 429, 200)
	defer server.Close()
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Policy{Backoff: insist.Constant(0)}}}

	ctx, record := insist.WithRecord(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"?token=secret", nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	line := strings.Replace(record.String(), req.URL.Host, "api.example.com", 1)
	fmt.Println(regexp.MustCompile(`[0-9.]+[mµn]?s\b`).ReplaceAllString(line, "2ms")) // the times vary
	// Output: GET api.example.com: 3 attempts in 2ms: 503 after 2ms (status), wait 2ms; 429 after 2ms (status), wait 2ms; 200 after 2ms (success)
}
