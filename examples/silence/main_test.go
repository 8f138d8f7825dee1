package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-552c89fc/insist/insisttest"
	"github.com/seed-552c89fc/insist/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// demoInBubble runs the demonstration over networks in memory, in virtual time.
func demoInBubble(t *testing.T, canceled bool) (stdout string, err error) {
	synctest.Test(t, func(t *testing.T) {
		out := new(strings.Builder)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if canceled {
			cancel()
		}
		err = demo(ctx, out, insisttest.NewListener(), insisttest.NewListener(), insisttest.NewListener())
		stdout = out.String()
	})
	t.Logf("error: %v\n%s", err, stdout)
	return stdout, err
}

func TestDemo(t *testing.T) {
	stdout, err := demoInBubble(t, false)
	assert.NoError(t, err)
	assert.Equal(t, `The connection (HTTP/2) goes silent before request 1, and in the middle of the download:

           bare http.Client                with insist
request 1  timeout after 800ms             200 OK, 2 attempts, connection retired
request 2  timeout after 800ms             200 OK
request 3  timeout after 800ms             200 OK
download   1.5 MiB, timeout after 1.5s     4.0 MiB, 2 attempts, connection retired
`, stdout)
}

func TestDemoInterrupted(t *testing.T) {
	_, err := demoInBubble(t, true)
	assert.ErrorIs(t, err, context.Canceled)
}
