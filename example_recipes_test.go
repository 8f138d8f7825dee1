package insist_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-552c89fc/insist"
	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/ratelimit"
)

// The recipes of docs/recipes.md that need no other module. (The others are in
// examples/recipes.)

// printAttempts prints what a call met.
func printAttempts(record *insist.Record) {
	for _, a := range record.Calls()[0] {
		fmt.Println(a.Number, a.Status, a.Reason)
	}
}

// The API of a language model: limits, overloads, and completions by POST. A 529 or
// 503 is retried, a 429 after the wait that it asks for, and other calls to the API
// wait with it. Each attempt has a limit, and so has the call. A stream that begins
// with an error, after a 200, is a failed attempt, too.
func Example_languageModel() {
	server := httptest.NewServer(insisttest.NewScript(
		insisttest.Status(529),
		insisttest.JSON(429, `{"error": {"type": "rate_limit_error"}}`, "Retry-After-Ms", "1"),
		insisttest.JSON(200, "event: error\ndata: {\"error\": {\"type\": \"overloaded_error\"}}\n\n", "Content-Type", "text/event-stream"),
		insisttest.JSON(200, "data: {\"text\": \"Hello\"}\n\n", "Content-Type", "text/event-stream"),
	))
	defer server.Close()

	policy := insist.Standard()
	policy.MaxAttempts = 5
	policy.NonIdempotent = insist.ResendUnlessLost // completions are POSTs: retry them after a 500, too
	policy.PerAttemptTimeout = 2 * time.Minute     // for one attempt, until its response is accepted
	policy.MaxElapsed = 5 * time.Minute            // after this no attempt begins
	policy.MaxRetryAfter = time.Minute             // a longer wait ends the call
	policy.Classify = ratelimit.Classify           // reads the limits that are not in Retry-After
	policy.Cooldown = new(insist.Cooldown)         // one 429 pauses all calls to the API
	policy.RetryableEvent = insist.JSONField("/error/type", func(kind string) bool {
		return kind == "overloaded_error" || kind == "api_error"
	})
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	ctx, record := insist.WithRecord(context.Background())
	prompt := strings.NewReader(`{"prompt": "Say hello.", "stream": true}`)
	req, _ := http.NewRequestWithContext(ctx, "POST", server.URL+"/v1/messages", prompt)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	printAttempts(record)
	// Output:
	// data: {"text": "Hello"}
	//
	// 1 529 status
	// 2 429 status
	// 3 200 condition
	// 4 200 success
}

// With a key of its own, a POST can be retried also when its response was lost: the
// server, which must honor the key, carries it out once.
func ExamplePolicy_idempotencyKey() {
	api := insisttest.NewScript(insisttest.Lost(), insisttest.Status(201))
	server := httptest.NewServer(api)
	defer server.Close()

	policy := insist.Standard()
	policy.IdempotencyKey = func(*http.Request) string { return rand.Text() }
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Post(server.URL+"/charges", "application/json", strings.NewReader(`{"amount": 5}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	got := api.Arrivals()
	first, second := got[0].Header.Get("Idempotency-Key"), got[1].Header.Get("Idempotency-Key")
	fmt.Println(resp.Status, "the same key:", first == second && first != "")
	// Output: 201 Created the same key: true
}

// A 401 refreshes the token, once, and the request is sent with the new one. (A 401
// says that nothing was done, so a POST is retried, too.)
func Example_refreshToken() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer fresh" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	var token atomic.Value
	token.Store("expired")
	refresh := func(context.Context) (string, error) { return "fresh", nil }

	policy := insist.Standard()
	policy.Classify = func(_ *http.Request, resp *http.Response, _ error, attempt int) insist.Decision {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized && attempt == 1 {
			return insist.Decision{Verdict: insist.Retry, Wait: -1} // at once
		}
		return insist.Decision{} // the other rules decide
	}
	policy.Prepare = func(req *http.Request, last *http.Response, _ error) error {
		if last != nil && last.StatusCode == http.StatusUnauthorized {
			fresh, err := refresh(req.Context())
			if err != nil {
				return err // ends the call
			}
			token.Store(fresh)
		}
		req.Header.Set("Authorization", "Bearer "+token.Load().(string))
		return nil
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	req, _ := http.NewRequest("POST", server.URL+"/orders", strings.NewReader("one apple"))
	req.Header.Set("Authorization", "Bearer "+token.Load().(string)) // Prepare is not asked about the first attempt
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A server wants its nonce in each proof (DPoP, RFC 9449; ACME is alike): the 401 has
// the nonce for the next attempt, and each attempt has a proof of its own.
func Example_nonce() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("DPoP") != "proof of GET with nonce n-1" {
			w.Header().Set("DPoP-Nonce", "n-1")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	proof := func(req *http.Request, nonce string) string {
		return fmt.Sprintf("proof of %s with nonce %s", req.Method, nonce)
	}

	policy := insist.Standard()
	policy.Classify = func(_ *http.Request, resp *http.Response, _ error, attempt int) (d insist.Decision) {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("DPoP-Nonce") != "" && attempt == 1 {
			d = insist.Decision{Verdict: insist.Retry, Wait: -1}
		}
		return d
	}
	policy.Prepare = func(req *http.Request, last *http.Response, _ error) error {
		nonce := ""
		if last != nil {
			nonce = last.Header.Get("DPoP-Nonce")
		}
		req.Header.Set("DPoP", proof(req, nonce))
		return nil
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// After a failure the next attempt goes to another host. The record, the Budget and
// redirects follow.
func Example_otherHost() {
	down := httptest.NewServer(nil)
	down.Close()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, "hello from the second host")
	}))
	defer up.Close()
	hosts := []string{strings.TrimPrefix(down.URL, "http://"), strings.TrimPrefix(up.URL, "http://")}

	policy := insist.Standard()
	policy.Prepare = func(req *http.Request, _ *http.Response, _ error) error {
		n := insist.AttemptNumber(req.Context()) // 2 or more
		req.URL.Host = hosts[(n-1)%len(hosts)]
		req.Host = req.URL.Host // the Host header
		return nil
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	resp, err := client.Get("http://" + hosts[0] + "/greeting")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: hello from the second host
}

// A job is polled until it is done, or the context's deadline comes; then the last
// response is the caller's. There is no Budget: a poll is no failure.
func Example_pollJob() {
	server := jsonServer(`{"state": "queued"}`, `{"state": "running"}`, `{"state": "done"}`)
	defer server.Close()
	interval := time.Millisecond // seconds, in a program

	policy := insist.Policy{
		MaxAttempts:     -1, // no bound but the context's
		Backoff:         insist.Constant(interval),
		RetryableStatus: insist.StatusAbove(499),
		RetryableBody: insist.JSONField("/state", func(state string) bool {
			return state == "queued" || state == "running"
		}),
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()

	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/jobs/7", nil)
	printResponse(client.Do(req))
	// Output: response 3: {"state": "done"}
}

// Another policy for some paths, also inside an SDK. The policies are made once.
func ExampleRetryTransport_policyFor() {
	server := exampleServer(500, 200, 500, 200)
	defer server.Close()

	standard := insist.Standard()
	search, payments := standard, standard
	search.Idempotent = func(*http.Request) bool { return true } // a POST that changes nothing
	payments.MaxAttempts = 1
	client := &http.Client{Transport: &insist.RetryTransport{
		Policy: standard,
		PolicyFor: func(req *http.Request) *insist.Policy {
			switch {
			case req.URL.Path == "/search":
				return &search
			case strings.HasPrefix(req.URL.Path, "/payments/"):
				return &payments
			}
			return nil // Policy
		},
	}}

	for _, path := range []string{"/search", "/payments/7"} {
		resp, err := client.Post(server.URL+path, "application/json", strings.NewReader(`{}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(path, resp.StatusCode)
	}
	// Output:
	// /search 200
	// /payments/7 500
}

// A file is rewound for each attempt, and nothing of it is kept in memory.
func Example_uploadFile() {
	api := insisttest.NewScript(insisttest.Lost(), insisttest.Status(200))
	server := httptest.NewServer(api)
	defer server.Close()
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}

	upload := func(url, name string) (*http.Response, error) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		req, err := http.NewRequest("PUT", url, file) // client.Do closes it
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		req.ContentLength = info.Size() // otherwise it is sent in chunks
		return client.Do(req)
	}

	resp, err := upload(server.URL+"/licence", "LICENSE")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	got := api.Arrivals()
	fmt.Println(resp.Status, "after", len(got), "attempts, the body the same:", string(got[0].Body) == string(got[1].Body))
	// Output: 200 OK after 2 attempts, the body the same: true
}

// progress counts what is read of an upload.
type progress struct {
	io.ReadCloser
	sent, size int64
	report     func(sent, size int64)
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.sent += int64(n); n > 0 {
		p.report(p.sent, p.size)
	}
	return n, err
}

// The upload of a file, with progress. GetBody opens the file anew for each attempt,
// so that the progress starts anew, too, and nothing is kept in memory.
func Example_uploadProgress() {
	server := httptest.NewServer(insisttest.NewScript(insisttest.Lost(), insisttest.Status(200)))
	defer server.Close()
	dir, err := os.MkdirTemp("", "insist")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "film")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	complete := 0
	report := func(sent, size int64) {
		if sent == size {
			complete++
		}
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: insist.Standard()}}
	url := server.URL + "/film"

	open := func() (io.ReadCloser, error) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return &progress{ReadCloser: file, size: info.Size(), report: report}, nil
	}
	body, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("PUT", url, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.ContentLength = body.(*progress).size
	req.GetBody = open
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, "after 100 % had been reached", complete, "times")
	// Output: 200 OK after 100 % had been reached 2 times
}

// The signature in a URL has expired, by which S3 and others answer 403: the next
// attempt has a new URL. (Where it is known for how long a signature is good,
// MaxElapsed keeps attempts within that time.)
func Example_signedURL() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("signature") != "2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "the object")
	}))
	defer server.Close()
	signatures := 0
	sign := func(context.Context, string) (*http.Request, error) {
		signatures++
		return http.NewRequest("GET", fmt.Sprintf("%s/object?signature=%d", server.URL, signatures), nil)
	}

	policy := insist.Standard()
	policy.Classify = func(_ *http.Request, resp *http.Response, _ error, attempt int) (d insist.Decision) {
		if resp != nil && resp.StatusCode == http.StatusForbidden && attempt == 1 {
			d = insist.Decision{Verdict: insist.Retry, Wait: -1}
		}
		return d
	}
	policy.Prepare = func(req *http.Request, last *http.Response, _ error) error {
		signed, err := sign(req.Context(), "object")
		if err != nil {
			return err
		}
		req.URL, req.Host = signed.URL, signed.URL.Host
		return nil
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	req, _ := sign(context.Background(), "object")
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	// Output: the object
}

// stockDriver is a database whose first transactions meet a conflict.
type stockDriver struct{ conflicts int }

func (d *stockDriver) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *stockDriver) Driver() driver.Driver                        { return nil }
func (d *stockDriver) Begin() (driver.Tx, error)                    { return d, nil }
func (d *stockDriver) Prepare(string) (driver.Stmt, error)          { return d, nil }
func (d *stockDriver) Exec([]driver.Value) (driver.Result, error)   { return driver.RowsAffected(1), nil }
func (d *stockDriver) Query([]driver.Value) (driver.Rows, error)    { return nil, errors.ErrUnsupported }
func (d *stockDriver) NumInput() int                                { return 1 }
func (d *stockDriver) Rollback() error                              { return nil }
func (d *stockDriver) Close() error                                 { return nil }

func (d *stockDriver) Commit() error {
	if d.conflicts--; d.conflicts >= 0 {
		return conflict{}
	}
	return nil
}

// conflict is an error as pgx and lib/pq have it.
type conflict struct{}

func (conflict) Error() string    { return "could not serialize access" }
func (conflict) SQLState() string { return "40001" }

// A transaction is retried as a whole when the database says that it met a
// conflict: nothing of it was done then. A Commit whose connection breaks is not
// retried by this rule, since it may have been done.
func Example_databaseSQL() {
	db := sql.OpenDB(&stockDriver{conflicts: 2})
	defer db.Close()

	policy := insist.Policy{
		MaxAttempts: 5,
		Backoff:     insist.Exponential(10*time.Millisecond, time.Second),
		RetryableError: func(err error) bool {
			e, ok := errors.AsType[interface {
				error
				SQLState() string // as the errors of pgx and lib/pq have it
			}](err)
			return ok && (e.SQLState() == "40001" || e.SQLState() == "40P01") // serialization failure, deadlock
		},
	}
	ctx, record := insist.WithRecord(context.Background())
	err := insist.Run(ctx, policy, func(ctx context.Context) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // does nothing after Commit
		if _, err := tx.ExecContext(ctx, "UPDATE stock SET n = n - 1 WHERE item = ?", "apple"); err != nil {
			return err
		}
		return tx.Commit()
	})
	fmt.Println(err, "after", len(record.Calls()[0]), "attempts")
	// Output: <nil> after 3 attempts
}

// routeKey is the key of the route in a context.
type routeKey struct{}

// An Attempt has no path, which may hold a secret. The caller that makes the request puts its
// route into the context, and OnAttempt finds it there.
func Example_routeInLogs() {
	server := exampleServer(503, 200)
	defer server.Close()

	policy := insist.Standard()
	policy.OnAttempt = func(ctx context.Context, a insist.Attempt) {
		route, _ := ctx.Value(routeKey{}).(string)
		fmt.Println(route, a.Number, a.Status, a.Reason)
	}
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}

	ctx := context.WithValue(context.Background(), routeKey{}, "/items/{id}")
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/items/4711", nil)
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	// Output:
	// /items/{id} 1 503 status
	// /items/{id} 2 200 success
}
