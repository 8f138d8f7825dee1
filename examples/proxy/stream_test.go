package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-552c89fc/insist"
)

// TestEventsFlow sends no event before the client has got the one before.
func TestEventsFlow(t *testing.T) {
	for name, header := range map[string][2]string{
		"events":                   {"Content-Type", "text/event-stream"},
		"another stream":           {"Content-Type", "text/plain"},
		"one whose length is told": {"Content-Length", "24"},
	} {
		got := make(chan struct{})
		r := newRig(t, nil, status(503), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(header[0], header[1])
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n", i)
				http.NewResponseController(w).Flush()
				select {
				case <-got:
				case <-r.Context().Done():
				}
			}
		})
		lines := bufio.NewScanner(r.do("GET", nil).Body)
		for i := range 3 {
			require.True(t, lines.Scan())
			assert.Equal(t, fmt.Sprint("data: ", i), lines.Text(), name)
			got <- struct{}{}
		}
		assert.False(t, lines.Scan())
	}
}

// dial opens a connection to the proxy and writes on it.
func (r *rig) dial(write string) (net.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // a test that hangs fails
	_, err = io.WriteString(c, write)
	require.NoError(r.t, err)
	return c, bufio.NewReader(c)
}

// TestUpgrades has an echo in another protocol, after a first attempt that failed.
func TestUpgrades(t *testing.T) {
	r := newRig(t, nil, lost, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "echo", r.Header.Get("Upgrade"))
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, buffered, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			io.Copy(c, buffered)
			c.Close()
		}
	})
	c, in := r.dial("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	for _, line := range []string{"one\n", "two\n"} {
		io.WriteString(c, line)
		got, err := in.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, line, got)
	}
	c.(*net.TCPConn).CloseWrite() // passes as well, there and back
	_, err = in.ReadByte()
	assert.Equal(t, io.EOF, err)
}

func TestTrailers(t *testing.T) {
	r := newRig(t, nil, status(503), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		io.WriteString(w, "body")
		w.Header().Set("X-Announced", "one")
		w.Header().Set(http.TrailerPrefix+"X-Other", "two")
	})
	resp := r.do("GET", nil)
	assert.Equal(t, "body", text(t, resp))
	assert.Equal(t, http.Header{"X-Announced": {"one"}, "X-Other": {"two"}}, resp.Trailer)
}

// TestATruncatedBodyStaysOne truncates a response; nobody may take that for the end of a
// complete one.
func TestATruncatedBodyStaysOne(t *testing.T) {
	for _, length := range []string{"100", ""} {
		r := newRig(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			io.WriteString(w, "short")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		got, err := io.ReadAll(r.do("GET", nil).Body)
		assert.Equal(t, "short", string(got))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.EqualValues(t, 1, r.hits.Load())
	}
}

// TestALongUploadPasses has more than the proxy keeps, so that it is made once.
func TestALongUploadPasses(t *testing.T) {
	large := bytes.Repeat([]byte("insist "), 3<<20) // MaxReplayBytes is 16 MiB
	r := newRig(t, nil, digest)
	assert.Equal(t, sum(large), text(t, r.do("PUT", streamed(large))))

	r = newRig(t, nil, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		status(503)(w, r)
	}, digest)
	assert.Equal(t, 503, r.do("PUT", streamed(large)).StatusCode)
	assert.EqualValues(t, 1, r.hits.Load())
}

// TestAnUploadStreams sends no piece before the upstream has got the one before.
func TestAnUploadStreams(t *testing.T) {
	pieces := make(chan string)
	r := newRig(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			pieces <- lines.Text()
		}
	})
	body, w := io.Pipe()
	go func() {
		for i := range 3 {
			fmt.Fprintln(w, i)
			assert.Equal(t, fmt.Sprint(i), <-pieces)
		}
		w.Close()
	}()
	assert.Equal(t, 200, r.do("PUT", body).StatusCode)
}

// TestAnEarlyAnswer comes while the client is still sending, and waits for what
// comes next.
func TestAnEarlyAnswer(t *testing.T) {
	r := newRig(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() // the upstream must not wait either
		w.WriteHeader(403)
	})
	c, in := r.dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ")
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
	c.Close()
	<-r.idle
}

// TestAClientThatLeaves ends what is made for it: an attempt, or a wait.
func TestAClientThatLeaves(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	hangs := func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(ended)
	}
	waits := func(p *insist.Policy) {
		p.Backoff = insist.Constant(time.Hour)
		p.OnAttempt = func(_ context.Context, a insist.Attempt) {
			if a.Retry {
				close(arrived)
			} else if assert.Equal(t, insist.ReasonContext, a.Reason) {
				close(ended)
			}
		}
	}
	for _, c := range []struct {
		name string
		edit func(*insist.Policy)
		step http.HandlerFunc
	}{
		{"in an attempt", nil, hangs},
		{"in a wait", waits, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
	} {
		for _, body := range []string{"", "a body"} {
			t.Run(c.name+" with "+body, func(t *testing.T) {
				arrived, ended = make(chan struct{}), make(chan struct{})
				r := newRig(t, c.edit, c.step)
				ctx, leave := context.WithCancel(t.Context())
				go func() {
					<-arrived
					leave()
				}()
				req, err := http.NewRequestWithContext(ctx, "PUT", r.url, strings.NewReader(body))
				require.NoError(t, err)
				_, err = r.client.Do(req)
				assert.ErrorIs(t, err, context.Canceled)
				<-ended
				<-r.idle
				assert.EqualValues(t, 1, r.hits.Load())
			})
		}
	}
}

// TestAClientThatLeavesInMidUpload is not taken for a failure of the upstream.
func TestAClientThatLeavesInMidUpload(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	r := newRig(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 5))
		close(arrived)
		_, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err, "half a body was taken for a whole one")
		close(ended)
	})
	c, _ := r.dial("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n")
	<-arrived
	c.Close()
	<-ended
	<-r.idle
	assert.EqualValues(t, 1, r.hits.Load())
}
