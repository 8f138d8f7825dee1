package servertest_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist/internal/servertest"
)

// dial returns both ends of a new connection.
func dial(t *testing.T, n *servertest.Network) (client, server net.Conn) {
	t.Helper()
	go func() { client, _ = n.DialContext(t.Context(), "tcp", "anywhere:80") }()
	server, err := n.Accept()
	require.NoError(t, err)
	synctest.Wait()
	return client, server
}

// tryRead reads once, for a minute at most.
func tryRead(c net.Conn) (string, error) {
	c.SetReadDeadline(time.Now().Add(time.Minute))
	p := make([]byte, 100)
	n, err := c.Read(p)
	return string(p[:n]), err
}

func TestCuts(t *testing.T) {
	for _, c := range []struct {
		way     servertest.Way
		writes  error // of the Write that reaches the cut
		written int
		reads   error // at both ends, after what has arrived
		later   error // of a later Write
	}{
		{servertest.Reset, syscall.ECONNRESET, 3, syscall.ECONNRESET, syscall.EPIPE},
		{servertest.Closed, nil, 5, io.EOF, syscall.EPIPE},
		{servertest.Silent, nil, 5, os.ErrDeadlineExceeded, nil},
	} {
		for _, d := range []servertest.Direction{servertest.Up, servertest.Down} {
			t.Run(c.way.String()+" "+d.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := servertest.NewNetwork()
					from, to := dial(t, n)
					if d == servertest.Down {
						from, to = to, from
					}
					_, err := from.Write([]byte("before"))
					require.NoError(t, err)
					n.Cut(0, servertest.CutAt{Way: c.way, Direction: d, After: 3})
					written, err := from.Write([]byte("hello"))
					assert.Equal(t, c.written, written)
					assert.ErrorIs(t, err, c.writes)

					got, err := tryRead(to)
					assert.Equal(t, "beforehel", got)
					assert.NoError(t, err)
					for _, end := range []net.Conn{from, to} {
						_, err = tryRead(end)
						assert.ErrorIs(t, err, c.reads)
						_, err = end.Write([]byte("x"))
						assert.ErrorIs(t, err, c.later)
					}
					assert.EqualValues(t, len("beforehel"), n.Written(0, d))
					assert.Equal(t, 1, n.Open())
				})
			})
		}
	}
}

func TestACutBeforeTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := servertest.NewNetwork()
		n.Cut(1, servertest.CutAt{Way: servertest.Closed})
		_, first := dial(t, n)
		_, second := dial(t, n)
		_, err := tryRead(first)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = tryRead(second)
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 2, n.Dialed())
	})
}

func TestASilentConnectionDoesNotSayThatItWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := servertest.NewNetwork()
		client, server := dial(t, n)
		n.Cut(0, servertest.CutAt{Way: servertest.Silent})
		client.Close()
		_, err := tryRead(client)
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = tryRead(server)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Zero(t, n.Open())
	})
}

func TestClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := servertest.NewNetwork()
		n.Segment(2)
		client, server := dial(t, n)
		client.Write([]byte("hello"))
		got, err := tryRead(server)
		assert.Equal(t, "he", got)
		assert.NoError(t, err)
		n.Cut(1, servertest.CutAt{Way: servertest.Reset})
		n.Clear()
		_, err = tryRead(client)
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.Zero(t, n.Dialed())
		dial(t, n)
		client, server = dial(t, n)
		_, err = client.Write([]byte("hello"))
		assert.NoError(t, err, "the cut is forgotten")
		n.Close()
		_, err = n.DialContext(t.Context(), "tcp", "anywhere:80")
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		server.Close()
	})
}
