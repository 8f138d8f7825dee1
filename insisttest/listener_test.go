package insisttest_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/insisttest"
)

// connect returns the two ends of a new connection.
func connect(t *testing.T) (client, server net.Conn) {
	l := insisttest.NewListener()
	go func() { client, _ = l.Dial(t.Context(), "tcp", "anywhere:80") }()
	server, err := l.Accept()
	require.NoError(t, err)
	synctest.Wait()
	return client, server
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(net.Conn)
		data string
		err  error
	}{
		{"closed", func(c net.Conn) { c.Close() }, "hello", nil},
		{"reset", func(c net.Conn) { c.(interface{ SetLinger(int) error }).SetLinger(0); c.Close() }, "", syscall.ECONNRESET},
		{"lingers", func(c net.Conn) { c.(interface{ SetLinger(int) error }).SetLinger(1); c.Close() }, "hello", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := connect(t)
				_, err := server.Write([]byte("hello"))
				require.NoError(t, err)
				c.end(server)
				got, err := io.ReadAll(client)
				assert.Equal(t, c.data, string(got))
				assert.ErrorIs(t, err, c.err)
				_, err = client.Write([]byte("x"))
				assert.ErrorIs(t, err, syscall.EPIPE)
				_, err = server.Read(make([]byte, 1))
				assert.ErrorIs(t, err, net.ErrClosed)
			})
		})
	}
}

func TestADeadlineEndsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t)
		start := time.Now()
		client.SetDeadline(start.Add(time.Minute))
		_, err := client.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))

		time.AfterFunc(time.Minute, func() { client.SetReadDeadline(time.Now()) })
		client.SetReadDeadline(time.Time{})
		_, err = client.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "brought forward while it waits")

		client.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { io.Copy(server, strings.NewReader("x")) })
		n, err := client.Read(make([]byte, 2))
		assert.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Equal(t, 3*time.Minute, time.Since(start))
	})
}

func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := insisttest.NewListener()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := l.Dial(ctx, "tcp", "x:80")
		assert.ErrorIs(t, err, context.DeadlineExceeded, "nobody accepts")
		assert.NoError(t, l.Close())
		assert.NoError(t, l.Close(), "again")
		_, err = l.Dial(t.Context(), "tcp", "x:80")
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		_, err = l.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	})
}
