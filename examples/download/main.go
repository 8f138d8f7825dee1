// Download fetches a large file over connections that break. Without flags it starts a
// server that breaks the connection every few MiB, fetches 32 MiB from it, and verifies the
// checksum. With -url it fetches any file:
//
//	go run ./examples/download
//	go run ./examples/download -url https://example.com/large.iso -o large.iso -sha256 HEX
//
// The exit status is 1 if the file did not arrive completely.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seed-552c89fc/insist"
)

func main() {
	url := flag.String("url", "", "what to fetch; empty for the demonstration")
	name := flag.String("o", os.DevNull, "the file to write")
	sum := flag.String("sha256", "", "the checksum in hex; empty for no check")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *url, *name, *sum); err != nil {
		fmt.Fprintln(os.Stderr, "download:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, name, sum string) error {
	wait := insist.Exponential(200*time.Millisecond, 10*time.Second)
	if url == "" {
		server := serve(32<<20, 3<<20)
		defer server.Close()
		url, sum, wait = server.URL, server.sum, insist.Constant(50*time.Millisecond)
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	bar := &progress{out: os.Stdout}
	err = fetch(ctx, url, out, bar, wait, sum)
	bar.end()
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}

// fetch downloads url to out, and verifies the checksum.
func fetch(ctx context.Context, url string, out io.Writer, bar *progress, wait insist.Backoff, sum string) error {
	policy := insist.Standard()
	policy.ResumeDownloads = true // all that it takes
	policy.Backoff = wait
	policy.OnAttempt = bar.attempt
	client := &http.Client{Transport: &insist.RetryTransport{Policy: policy}}
	defer client.CloseIdleConnections()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server says %s", resp.Status)
	}
	bar.total = resp.ContentLength
	digest := sha256.New()
	if _, err = io.Copy(io.MultiWriter(out, digest, bar), resp.Body); err != nil {
		return err
	}
	return check(digest, sum)
}

func check(digest hash.Hash, want string) error {
	if got := fmt.Sprintf("%x", digest.Sum(nil)); want != "" && got != want {
		return fmt.Errorf("SHA-256 is %s, should be %s", got, want)
	}
	return nil
}
