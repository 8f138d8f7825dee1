package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seed-552c89fc/insist"
)

const (
	requestLimit  = 800 * time.Millisecond  // both clients' http.Client.Timeout for a request
	downloadLimit = 1500 * time.Millisecond // and for the download
	silenceLimit  = 150 * time.Millisecond  // what insist takes for silence

	fileSize   = 4 << 20
	silentFrom = 3 << 19 // the connection goes silent after so many bytes of it
)

// newClient is what it takes. PerAttemptTimeout bounds the wait for a response, and
// BodyIdleTimeout each wait for more of its body, of however long a download.
// ResumeDownloads then fetches the rest. In production they are seconds.
func newClient(base http.RoundTripper) *http.Client {
	policy := insist.Standard()
	policy.PerAttemptTimeout = silenceLimit
	policy.BodyIdleTimeout = silenceLimit
	policy.ResumeDownloads = true
	policy.Backoff = insist.Constant(10 * time.Millisecond)
	return &http.Client{Transport: &insist.RetryTransport{Base: base, Policy: policy}}
}

var rows = []string{"request 1", "request 2", "request 3", "download"}

// demo makes the calls with both clients, each through a proxy of its own, and prints
// what became of them side by side.
func demo(ctx context.Context, out io.Writer, server, bareLine, insistLine network) error {
	defer serve(server)()
	bare := func(base http.RoundTripper) *http.Client { return &http.Client{Transport: base} }
	without, _ := calls(ctx, newLine(bareLine, server), bare)
	with, err := calls(ctx, newLine(insistLine, server), newClient)

	fmt.Fprintf(out, "The connection (HTTP/2) goes silent before request 1, and in the middle of the download:\n\n")
	fmt.Fprintf(out, "%-11s%-32s%s\n", "", "bare http.Client", "with insist")
	for i, row := range rows {
		fmt.Fprintf(out, "%-11s%-32s%s\n", row, without[i], with[i])
	}
	return errors.Join(context.Cause(ctx), err)
}

// calls returns what became of each row's call, and an error if one did not succeed.
func calls(ctx context.Context, l *line, newClient func(base http.RoundTripper) *http.Client) (results []string, err error) {
	defer l.close()
	for _, part := range []struct {
		path    string
		n       int
		limit   time.Duration
		silence int64
	}{
		{"/", 3, requestLimit, 0},
		{"/file", 1, downloadLimit, silentFrom},
	} {
		base := l.transport()
		client := newClient(base)
		client.Timeout = part.limit
		call(ctx, client, l.url()+"/") // so that there is a connection
		l.silence(part.silence)
		for range part.n {
			result, callErr := call(ctx, client, l.url()+part.path)
			results, err = append(results, result), errors.Join(err, callErr)
		}
		base.CloseIdleConnections()
	}
	return results, err
}

// call sends a GET, reads the response, and says what came of it.
func call(ctx context.Context, client *http.Client, url string) (result string, err error) {
	ctx, record := insist.WithRecord(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error(), err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Sprintf("%s after %v", kind(err), client.Timeout), err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	result = resp.Status
	if len(body) >= 1<<20 {
		result = fmt.Sprintf("%.1f MiB", float64(len(body))/(1<<20))
	}
	if err != nil {
		return fmt.Sprintf("%s, %s after %v", result, kind(err), client.Timeout), err
	}
	return result + attempts(record), nil
}

func kind(err error) string {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return "timeout"
	}
	return "error"
}

// attempts says how many attempts a call took, if insist made more than one.
func attempts(record *insist.Record) string {
	calls := record.Calls()
	if len(calls) == 0 || len(calls[0]) == 1 {
		return ""
	}
	all := calls[0]
	text := fmt.Sprintf(", %d attempts", all[len(all)-1].Number)
	for _, a := range all {
		if a.ConnRetired {
			text += ", connection retired"
		}
	}
	return text
}
