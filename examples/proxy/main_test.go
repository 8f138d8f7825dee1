package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	leak.Main(m)
}

func TestDemo(t *testing.T) {
	var stdout, stderr strings.Builder
	assert.Zero(t, run(t.Context(), nil, &stdout, &stderr), "%s%s", &stdout, &stderr)
	for _, want := range []string{
		"attempt 1: no response; again in", "attempt 1: status 503; again in 1s",
		"the client got 200 OK", "the client got 502 Bad Gateway", "The POST was not repeated",
	} {
		assert.Contains(t, stdout.String(), want)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"-h"}, 0},
		{[]string{"-unknown"}, 2},
		{[]string{"left", "over"}, 2},
		{[]string{"-listen", "127.0.0.1:0"}, 2},
		{[]string{"-upstream", "http://127.0.0.1"}, 2},
		{[]string{"-listen", "127.0.0.1:0", "-upstream", "no url"}, 2},
		{[]string{"-listen", "127.0.0.1:x", "-upstream", "http://127.0.0.1"}, 1},
	} {
		assert.Equal(t, c.want, run(t.Context(), c.args, io.Discard, io.Discard), c.args)
	}
}

// TestServe runs the program as one would, until it is interrupted.
func TestServe(t *testing.T) {
	upstream, stop, err := serve("127.0.0.1:0", http.NotFoundHandler())
	require.NoError(t, err)
	defer stop()
	ctx, interrupt := context.WithCancel(t.Context())
	stdout, out := io.Pipe()
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"-listen", "127.0.0.1:0", "-upstream", "http://" + upstream}, out, io.Discard)
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	address := strings.TrimSuffix(strings.TrimPrefix(line, "Listening on "), ".\n")
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + address)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	interrupt()
	assert.Zero(t, <-code)
}
